"""What other policies would have made of the changes that there were; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from bot.core.errors import HeadgateError
from bot.core.model import ChangeRef, ChangeState
from bot.core.policy.model import Policy
from bot.core.policy.standing import policy_reasons
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status, all_of
from bot.flow.gather import gather
from bot.flow.grounding import grounded
from bot.flow.judging import with_plans_judged
from bot.flow.selecting import Selector
from bot.flow.services import Services
from bot.ports import ChangeRow


@dataclass(frozen=True, slots=True)
class Replayed:
    """One change: what the policies in force and the others make of it; or why it could not be judged."""

    ref: ChangeRef
    title: str
    now: Reason | None = None
    then: Reason | None = None
    why_not: str = ""

    @property
    def differs(self) -> bool:
        """Whether the others decide otherwise."""
        return self.now is not None and self.then is not None and self.now.status is not self.then.status


def replay(services: Services, policies: Iterable[Policy], since: datetime, limit: int) -> Iterator[Replayed]:
    """The newest changes that moved since then, newest first."""
    selector, others = Selector(services.settings, services.tools), tuple(policies)
    for row in services.store.list_changes(limit):
        host = row.memory.host
        if host is None or host.change.updated_at < since:
            continue
        try:
            found = _replayed(services, selector, row, others)
        except HeadgateError as error:
            found = Replayed(row.ref, host.change.title, why_not=str(error))
        if found is not None:
            yield found


def _replayed(
    services: Services, selector: Selector, row: ChangeRow, policies: tuple[Policy, ...]
) -> Replayed | None:
    gathered = gather(services, selector, replace(row, refetch=False))
    if gathered is None:
        return None
    snapshot = _before_the_merge(gathered.snapshot)
    other = replace(snapshot, rules=replace(snapshot.rules, policies=policies))
    title = snapshot.change.title
    return Replayed(row.ref, title, _judged(services, snapshot), _judged(services, other))


def _before_the_merge(snapshot: Snapshot) -> Snapshot:
    """As an open change: what it was when people looked at it."""
    host = replace(snapshot.host, change=replace(snapshot.change, state=ChangeState.OPEN))
    return replace(snapshot, memory=replace(snapshot.memory, host=host, merge=None, judged={}))


def _judged(services: Services, snapshot: Snapshot) -> Reason:
    """All files of policies together; without any nothing stands against it."""
    host, mirror = services.hosts[snapshot.ref.repo.host], services.mirror(snapshot.ref.repo)
    known = with_plans_judged(services.judge, grounded(host, mirror, snapshot))
    found = all_of("policies", "policies", policy_reasons(known))
    return found if found.status is not Status.SKIPPED else replace(found, status=Status.APPROVED)
