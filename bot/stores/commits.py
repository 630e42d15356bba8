"""What one advance decided, written in one transaction or not at all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from bot.core.record import Intent
from bot.ports import ChangeRow, Commit
from bot.stores import audit, changes, leases, outbox, runs, shelf, targets


def _claims(decided: Commit) -> tuple[Intent, ...]:
    """Claims that are new or wait for something else now: what others may plan and merge depends on them."""
    return (*decided.intents, *(move.intent for move in decided.moves))


def commit(connection: Connection, row: ChangeRow, decided: Commit, now: datetime) -> ChangeRow:
    """The change's row after it. Raises StoreConflict before anything else is written."""
    saved = changes.save(connection, row, decided, now)
    shelf.put_effect_sets(connection, decided.effect_sets, now)
    for run in decided.runs:
        runs.add(connection, run)
    for run_id in sorted(decided.cancel):
        runs.cancel(connection, run_id, now)
    branch = changes.branch_of(connection, str(row.ref))
    for intent in decided.intents:
        targets.add_intent(connection, intent, branch)
    for move in decided.moves:
        targets.move_intent(connection, move, now)
    leases.mark_concerned(connection, {each.target for each in _claims(decided)}, row.ref, now)
    for target in sorted(decided.release):
        leases.give_up(connection, target, now)
    if decided.thaw:
        targets.freeze(connection, row.ref.repo, decided.thaw, "", now)
    if decided.targets is not None:
        targets.concern(connection, row.ref, decided.targets)
    outbox.add_all(connection, decided.messages, now)
    audit.write(connection, decided.audit, now)
    # Releasing a target may have marked this very change again.
    return (changes.get(connection, row.ref) or saved) if decided.release else saved
