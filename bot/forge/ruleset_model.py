"""A ruleset as the host remembers it: named rules for all branches that fit, beside a branch's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Ruleset:
    """``rules`` and ``bypass`` are kept as they were given; branches are full names of refs, and may be patterns."""

    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    enforcement: str = "active"
    target: str = "branch"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rules: list[dict[str, Any]] = field(default_factory=list)
    bypass: list[dict[str, Any]] = field(default_factory=list)
