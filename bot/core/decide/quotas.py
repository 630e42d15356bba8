"""Shares of planning: one author, or one repository, cannot take the workers from everybody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from bot.core.face.words import clock, plural
from bot.core.snapshot import Quota, Snapshot
from bot.core.verdict import Reason, Status

WINDOW: Final = timedelta(hours=1)
"""Plans are counted over this time, up to now."""


def room(snapshot: Snapshot, wanted: int) -> int:
    """How many of so many plans may be started now."""
    return max(0, min([wanted, *(quota.limit - quota.used for quota in snapshot.quotas)]))


def spent(snapshot: Snapshot) -> Quota | None:
    """The share that is used up, and of several the one that is so for longest."""
    full = [quota for quota in snapshot.quotas if quota.used >= quota.limit]
    return max(full, key=lambda quota: quota.next_at) if full else None


def quota_reason(snapshot: Snapshot, waiting: int) -> Reason | None:
    """Why so many plans wait, until when, and who may change that."""
    quota = spent(snapshot) if waiting else None
    if quota is None:
        return None
    return Reason(
        "quota",
        Status.PENDING,
        f"{plural(waiting, 'plan')} wait{'s' * (waiting == 1)}: {quota.whose} had {quota.used} within an hour, "
        f"which is the limit; it goes on at {clock(quota.next_at, snapshot.now)}",
        values=(("plans", str(quota.used)), ("limit", str(quota.limit))),
        who=("the operator",),
        how=f"wait, or raise `limits.{quota.setting}`",
    )
