"""The statements of a run's own process, in their order, about a run that does not exist afterwards."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from bot.core.effectset import EffectSet
from bot.core.model import ChangeRef, RepoRef
from bot.core.project import Project
from bot.core.runs import Holder, Run, RunKind, Step
from bot.ports import AuditEntry
from bot.stores import changes, leases, runs, shelf

NOBODY: Final = Holder("nowhere", "", 0, 0.0)


def play(connection: Connection, now: datetime) -> None:
    """Queue, claim, log and finish a plan. The caller rolls it back."""
    name = f"rehearsal-{uuid.uuid4().hex}"
    change = ChangeRef(RepoRef("nowhere", name), 1)
    project = Project("rehearsal", "rehearsal", "command")
    changes.mark(connection, change, now, refetch=False)
    runs.add(connection, Run(name, change, RunKind.PLAN, project, "0" * 40, "", now))
    claimed = leases.claim(connection, name, NOBODY, now, timedelta(minutes=1))
    assert claimed is not None
    runs.get(connection, name)
    held = runs.set_holder(connection, claimed, NOBODY)
    shelf.log_pieces(connection, name, -1)
    shelf.append_log(connection, name, 0, b"", now)
    shelf.put_effect_sets(connection, {name: EffectSet()}, now)
    entry = AuditEntry("headgate", "rehearsal", str(change), {"run": name})
    leases.finish(connection, held, Step.SUCCEED, now, entry)
