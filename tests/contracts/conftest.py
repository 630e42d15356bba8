"""What the contract suites share. Store: a fresh database of our own PostgreSQL, or a fresh file, per test."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from databases import create_database

from bot.core.model import Change, ChangeRef, ChangeState, HostFacts, RepoRef
from bot.core.project import Project
from bot.core.record import Intent, IntentState, Memory
from bot.core.runs import Holder, Run, RunKind
from bot.ports import AuditEntry, ChangeRow, Commit
from bot.stores.sqlstore import SqlStore


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """A migrated database that others are copied from."""
    create_database(postgres, "migrated", "template0")
    store = SqlStore(f"postgresql://headgate@/migrated?host={postgres}")
    store.migrate()
    store.close()
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> str:
    """A store's URL with nothing in it yet."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path}/headgate.db"
    folder, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    create_database(folder, name, "template0")
    return f"postgresql://headgate@/{name}?host={folder}"


@pytest.fixture
def store_url(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> str:
    """A migrated store's URL."""
    if dialect == "sqlite":
        url = f"sqlite:///{tmp_path}/headgate.db"
        store = SqlStore(url)
        store.migrate()
        store.close()
        return url
    folder, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    create_database(folder, name, request.getfixturevalue("postgres_template"))
    return f"postgresql://headgate@/{name}?host={folder}"


@dataclass
class SetClock:
    """A clock that stands where it is put."""

    at: datetime = datetime(2030, 1, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> datetime:
        self.at += timedelta(**span)
        return self.at


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(store_url: str, clock: SetClock) -> Iterator[SqlStore]:
    store = SqlStore(store_url, clock)
    yield store
    store.close()


class Sample:
    """Values for the store's tests, each valid as it stands."""

    repo = RepoRef("github", "acme/infra")
    minute = timedelta(minutes=1)
    holder = Holder("box", "boot", 4711, 12.0)
    other = Holder("other", "boot", 4712, 13.0)
    at = datetime(2030, 1, 1, 12, tzinfo=UTC)

    def ref(self, number: int = 1) -> ChangeRef:
        return ChangeRef(self.repo, number)

    def facts(self, number: int = 1, *, head: str = "h" * 40, state: ChangeState = ChangeState.OPEN) -> HostFacts:
        change = Change(
            ref=self.ref(number),
            title="Widen the network",
            author="ada",
            state=state,
            head_sha=head,
            head_ref="wider",
            head_repo=self.repo,
            base_ref="main",
            base_sha="b" * 40,
            created_at=self.at,
            updated_at=self.at,
        )
        return HostFacts(change)

    def memory(self, number: int = 1, *, state: ChangeState = ChangeState.OPEN, head: str = "h" * 40) -> Memory:
        return Memory(host=self.facts(number, state=state, head=head))

    def run(self, run_id: str, number: int = 1, *, kind: RunKind = RunKind.PLAN, order: int = 0) -> Run:
        project = Project("net", "live/net", "terraform", "prod", target="s3/net", options={"var_files": ["a"]})
        return Run(run_id, self.ref(number), kind, project, "c" * 40, "d", self.at, order=order)

    def deploy(self, run_id: str, number: int = 1, *, order: int = 1) -> Run:
        return self.run(run_id, number, kind=RunKind.DEPLOY, order=order)

    def intent(self, number: int = 1, *, order: int = 1) -> Intent:
        return Intent(self.ref(number), "net", "s3/net", order, "c" * 40, IntentState.WAITING, self.at, branch="main")

    def entry(self, subject: str = "github/acme/infra!1", action: str = "run.succeeded") -> AuditEntry:
        return AuditEntry("headgate", action, subject, {"run": "r1", "list": [1, "zwei", None]})

    def decide(self, row: ChangeRow, **more: object) -> Commit:
        fields: dict[str, object] = {
            "memory": self.memory(row.ref.number),
            "cleared": row.dirty,
            "refetched": True,
            "state": "open",
            "wake_at": None,
        }
        return Commit(**(fields | more))  # type: ignore[arg-type]


@pytest.fixture
def sample() -> Sample:
    return Sample()


@pytest.fixture
def fresh(store: SqlStore, sample: Sample) -> Callable[[int], ChangeRow]:
    """A change that was just heard of."""

    def make(number: int = 1) -> ChangeRow:
        store.mark_dirty(sample.ref(number), refetch=True)
        row = store.change(sample.ref(number))
        assert row is not None
        return row

    return make


@pytest.fixture
def planned(store: SqlStore, sample: Sample, fresh: Callable[[int], ChangeRow]) -> Callable[..., None]:
    """Write runs and intents the way an advance does."""

    def make(number: int = 1, **more: object) -> None:
        row = fresh(number)
        store.commit_change(row, sample.decide(row, **more), sample.at)

    return make
