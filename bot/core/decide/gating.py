"""Opening and closing gate records: the proof is written before anything turns green (law 6)."""

from __future__ import annotations

import hashlib

from bot.core.decide.planning import planned_fingerprints
from bot.core.effects import CloseGate, OpenGate, StateEffect
from bot.core.gate import counted_approvals
from bot.core.model import ChangeState
from bot.core.record import GateRecord
from bot.core.rules import Mode
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status


def gate_effects(snapshot: Snapshot, verdict: Reason) -> tuple[StateEffect, ...]:
    """Keep exactly one standing record while the gate is open, none while it is not.

    A merged or closed change's records are left as they stood: they are evidence.
    """
    if snapshot.change.state is not ChangeState.OPEN:
        return ()
    standing = snapshot.standing_record()
    wanted = _wanted(snapshot, verdict)
    if standing is not None and wanted is not None and _same(standing, wanted):
        return ()
    effects: list[StateEffect] = []
    if standing is not None:
        effects.append(CloseGate(standing.id, _first_blocker(verdict)))
    if wanted is not None:
        effects.append(OpenGate(wanted))
    return tuple(effects)


def gate_open(snapshot: Snapshot) -> bool:
    """A record stands for exactly what the change is now."""
    record = snapshot.standing_record()
    return record is not None and record.head == snapshot.change.head_sha


def _wanted(snapshot: Snapshot, verdict: Reason) -> GateRecord | None:
    if verdict.status is not Status.APPROVED or snapshot.rules.mode is not Mode.ENFORCE:
        return None
    selection = snapshot.selection
    parts = (str(snapshot.ref), selection.head, selection.base, snapshot.now.isoformat())
    return GateRecord(
        id=hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20],
        head=selection.head,
        base_ref=snapshot.change.base_ref,
        base=selection.base,
        tree=selection.tree,
        rules_digest=selection.rules_digest,
        opened_at=snapshot.now,
        approvals=counted_approvals(snapshot),
        effects=planned_fingerprints(snapshot),
    )


def _same(standing: GateRecord, wanted: GateRecord) -> bool:
    """Equal in everything that a deploy would rely on."""
    return (
        standing.head == wanted.head
        and standing.base_ref == wanted.base_ref
        and standing.rules_digest == wanted.rules_digest
        and dict(standing.effects) == dict(wanted.effects)
        and {covered.login for covered in standing.approvals} == {covered.login for covered in wanted.approvals}
    )


def _first_blocker(verdict: Reason) -> str:
    blockers = verdict.blockers()
    return blockers[0].text if blockers else "something it stands on changed"
