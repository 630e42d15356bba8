"""The operator's ``guard:``: levels and patterns, or what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.core.config.document import Path
from bot.core.guard.model import Level
from bot.core.guard.rules import ALLOWED, GuardRules, plain_value
from bot.core.match import Glob

Flaws = list[tuple[Path, str]]


def guard_rules(raw: Mapping[str, Any]) -> tuple[GuardRules, Flaws]:
    """The rules of one section of the right shape, and every pattern that is none."""
    flaws: Flaws = []
    lists: dict[str, tuple[str, ...]] = {}
    for name in ALLOWED:
        patterns = []
        for position, text in enumerate(raw.get(name, ())):
            pattern = plain_value(text)
            if why := Glob.flaw(pattern.removeprefix("!")):
                flaws.append(((name, position), why))
            else:
                patterns.append(pattern)
        if patterns:
            lists[name] = tuple(patterns)
    return GuardRules({name: Level(word) for name, word in raw.get("levels", {}).items()}, lists), flaws
