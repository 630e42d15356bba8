"""What the contract suites share. Store: one private PostgreSQL per session, a fresh database (or file) per test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from bot.core.model import Change, ChangeRef, ChangeState, HostFacts, RepoRef
from bot.core.project import Project
from bot.core.record import Intent, IntentState, Memory
from bot.core.runs import Holder, Run, RunKind
from bot.ports import AuditEntry, ChangeRow, Commit
from bot.stores.sqlstore import SqlStore

PLACES = ("/usr/local/bin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((*PLACES, os.environ.get("PATH", ""))))
    if found is None:
        pytest.skip(f"no PostgreSQL server here: {name} is missing (package postgresql)")
    return found


def _as_server_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: hand the folder over and prefix the commands."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The socket folder of a server of our own."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    folder = Path(tempfile.mkdtemp(prefix="hgpg"))  # short: a socket's path may have 107 characters
    prefix, data = _as_server_user(folder), folder / "data"
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c deadlock_timeout=100ms"
    start = [*prefix, pg_ctl, "-D", str(data), "-l", str(folder / "log"), "-w", "-o", options, "start"]
    try:
        for command in (
            [*prefix, initdb, "-D", str(data), "-A", "trust", "-U", "headgate", "-N", "-E", "UTF8"],
            start,
        ):
            subprocess.run(command, env=env, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)
        yield str(folder)
    finally:
        stop = [*prefix, pg_ctl, "-D", str(data), "-m", "immediate", "stop"]
        subprocess.run(stop, env=env, cwd=folder, check=False, capture_output=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """A migrated database that others are copied from."""
    _create(postgres, "migrated", "template0")
    store = SqlStore(f"postgresql://headgate@/migrated?host={postgres}")
    store.migrate()
    store.close()
    return "migrated"


def _create(folder: str, name: str, template: str) -> None:
    with psycopg.connect(host=folder, user="headgate", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> str:
    """A store's URL with nothing in it yet."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path}/headgate.db"
    folder, name = request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}"
    _create(folder, name, "template0")
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
    _create(folder, name, request.getfixturevalue("postgres_template"))
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
        return Intent(self.ref(number), "net", "s3/net", order, "c" * 40, IntentState.WAITING, self.at)

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
