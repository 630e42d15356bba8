"""A run that asks for credentials, and what it was given."""

from __future__ import annotations

import pytest

from bot.core.identity import Bearer
from bot.core.model import ChangeRef, RepoRef

REPO = RepoRef("github", "acme/infra")


@pytest.fixture
def bearer() -> Bearer:
    return Bearer(REPO, "prod", "plan", "web-prod", ChangeRef(REPO, 7), "c" * 40, "run-1")
