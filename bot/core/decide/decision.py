"""``decide(snapshot)`` is the whole bot: pure, total, and at rest once everything it asked for is done.

While Headgate's own memory has to change, only that is decided; what people see is decided in the next look,
from memory that is already safe. So nothing turns green before its record is written, whatever crashes.
"""

from __future__ import annotations

from datetime import datetime

from bot.core.decide.claiming import claim_effects
from bot.core.decide.deploying import deploy_effects, merge_effects
from bot.core.decide.gating import gate_effects
from bot.core.decide.guarding import guard_effects
from bot.core.decide.lining import line_effects, look_due
from bot.core.decide.planning import over_quota, plan_effects
from bot.core.decide.publishing import comment_due, held_until, host_effects
from bot.core.decide.quotas import spent
from bot.core.decide.requests import request_effects
from bot.core.decide.telling import reminder_times, tell_effects
from bot.core.decide.windows import window_times
from bot.core.effects import Decision
from bot.core.gate import judge
from bot.core.policy.compose import edges
from bot.core.snapshot import Snapshot


def decide(snapshot: Snapshot) -> Decision:
    """What to do about one change, now. Never raises for any snapshot whose host facts were read."""
    verdict = judge(snapshot)
    state = (
        *request_effects(snapshot, verdict),
        *guard_effects(snapshot),
        *plan_effects(snapshot),
        *gate_effects(snapshot, verdict),
        *merge_effects(snapshot),
        *line_effects(snapshot),
        *claim_effects(snapshot),
        *deploy_effects(snapshot),
        *tell_effects(snapshot, verdict),
    )
    wake = _wake_at(snapshot)
    if state:
        return Decision(state=state, wake_at=wake)
    return Decision(host=host_effects(snapshot, verdict), wake_at=wake)


def _wake_at(snapshot: Snapshot) -> datetime | None:
    """The next moment at which the same facts would decide something else (law 14)."""
    times = [*held_until(snapshot), *reminder_times(snapshot), *window_times(snapshot)]
    times += edges(snapshot.rules.policies, snapshot.now)
    if snapshot.memory.planning_since is not None:
        times.append(comment_due(snapshot))
    if over_quota(snapshot) and (quota := spent(snapshot)):
        times.append(quota.next_at)
    if (due := look_due(snapshot.memory)) is not None:
        times.append(due)
    later = [time for time in times if time > snapshot.now]
    return min(later) if later else None
