"""The host's own line of merges: that what we put there still stands there, and what follows when it does not.

A host tells nobody that a change has left its line: while one stands there, it is looked at again and again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from bot.core.effects import Judge, NoteLine, StateEffect
from bot.core.model import ChangeState
from bot.core.record import InLine, Judgement, Memory
from bot.core.snapshot import Snapshot

LOOK: Final = timedelta(seconds=60)
LAG: Final = timedelta(seconds=10)
"""So soon after a host took a change its answers may be older than that."""
SECOND: Final = timedelta(seconds=1)
"""Hosts tell times as coarse as this."""


def look_due(memory: Memory) -> datetime | None:
    """When the host has to be asked whether the change still stands in line; None when it does not stand there."""
    line, host = memory.line, memory.host
    if line is None or line.gone_at is not None or host is None or host.change.state is not ChangeState.OPEN:
        return None
    return max(line.since, host.read_at or line.since) + LOOK


def line_effects(snapshot: Snapshot) -> tuple[StateEffect, ...]:
    """Note that it left the line without being merged: who asked for the merge has to ask again, as trying again by
    ourselves would only have the host fail at it again. What is merged, closed or pushed to stands in no line."""
    line = snapshot.memory.line
    if line is None:
        return ()
    if not snapshot.in_line and snapshot.left_line is None:
        return (NoteLine(None),)
    if snapshot.left_line is not None or snapshot.change.queued or not _read_since(snapshot, line):
        return ()
    gone = replace(line, gone_at=snapshot.now, why=_why(snapshot, line))
    refused = (
        Judge(request.id, Judgement.REFUSED, snapshot.permission_of(request.author))
        for request in snapshot.merges_asked(Judgement.OPEN)
    )
    return (NoteLine(gone), *refused)


def _read_since(snapshot: Snapshot, line: InLine) -> bool:
    read_at = snapshot.host.read_at
    return read_at is not None and read_at >= line.since + LAG


def _why(snapshot: Snapshot, line: InLine) -> str:
    left = snapshot.host.left_line
    said = left.why if left is not None and left.at >= line.since - SECOND else ""
    return said or "the host does not say why"
