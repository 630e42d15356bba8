"""Which rules of protected branches hold for a branch."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any


def covers(rule: Mapping[str, Any], branch: str) -> bool:
    """Whether a rule holds for a branch; ``*`` stands for anything, slashes too."""
    name = str(rule.get("name") or "")
    return name == branch or fnmatch.fnmatchcase(branch, name.replace("[", "[[]").replace("?", "[?]"))
