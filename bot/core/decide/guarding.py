"""What the static guard made of a change goes on the record, once per outcome."""

from __future__ import annotations

import hashlib

from bot.core.effects import NoteGuard, StateEffect
from bot.core.guard.model import Level
from bot.core.snapshot import Snapshot


def guard_effects(snapshot: Snapshot) -> tuple[StateEffect, ...]:
    """A row for the findings that count, when this very outcome has none yet."""
    selection = snapshot.selection
    found = tuple(each for each in selection.guard if each.level in (Level.DENY, Level.LOOK))
    if not snapshot.fresh or not found:
        return ()
    digest = hashlib.sha256(repr((selection.head, found)).encode()).hexdigest()[:20]
    key = f"guard:{digest}"
    return () if key in snapshot.memory.said else (NoteGuard(key, selection.head, found),)
