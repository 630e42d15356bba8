"""One ground for all attacks: each closes its change and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attacks.ground import Ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A world full of canaries."""
    made = Ground(tmp_path_factory.mktemp("ground"))
    yield made
    made.stop()
