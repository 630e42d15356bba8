"""A run that asks for credentials, the real store with its keys, a real issuer and a real token endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from issuing import Endpoint, Passing, published, token_endpoint

from bot.core.identity import Bearer
from bot.core.model import ChangeRef, RepoRef
from bot.credentials import Ring
from bot.stores.artifacts import ArtifactKey, Cipher
from bot.stores.sqlstore import SqlStore
from bot.wiring import SystemClock

REPO = RepoRef("github", "acme/infra")


@pytest.fixture
def bearer() -> Bearer:
    return Bearer(REPO, "prod", "plan", "web-prod", ChangeRef(REPO, 7), "c" * 40, "run-1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore(f"sqlite:///{tmp_path / 'headgate.db'}", SystemClock())
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def clock() -> Passing:
    return Passing()


@pytest.fixture
def ring(store: SqlStore, clock: Passing) -> Ring:
    key = ArtifactKey(b"k" * 32)
    return Ring(store, lambda: Cipher(key), clock.now)


@pytest.fixture
def issuer(ring: Ring) -> Iterator[str]:
    """The URL that tokens name, where the documents are served."""
    with published(ring) as url:
        yield url


@pytest.fixture
def endpoint(issuer: str) -> Iterator[Endpoint]:
    with token_endpoint(issuer, "sts.example") as made:
        yield made
