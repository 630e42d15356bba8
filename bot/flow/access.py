"""Owners of repositories who let us in no more: they are asked again now and then, by one change for all, and what
waited goes on when they do. What they tell us about it is a hint like any other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.core.config.server import listed_repositories, rules_for
from bot.core.errors import ShutOut
from bot.core.events import AccessChanged
from bot.core.model import RepoRef
from bot.flow.reporting import Report, report
from bot.flow.services import Services
from bot.ports import SHUT_OUT, JobKind

PROBE: Final = timedelta(minutes=5)
"""How often one call finds out whether we are let in again."""
BEHIND: Final = "behind:"
"""Settings that tell of repositories (their names follow) to be caught up with, and from when on."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of an owner who shut us out: why, the way back, since when, and when to try again."""

    why: str
    remedy: str
    since: datetime
    again: datetime

    @classmethod
    def parse(cls, text: str) -> Kept:
        """What ``str`` gave."""
        why, remedy, since, again = json.loads(text)
        return cls(why, remedy, datetime.fromisoformat(since), datetime.fromisoformat(again))

    def __str__(self) -> str:
        return json.dumps([self.why, self.remedy, self.since.isoformat(), self.again.isoformat()])


def owner_of(repo: RepoRef) -> str:
    """Whose it is, as HOST/OWNER; hosts do not tell case apart in names."""
    return f"{repo.host}/{repo.path.partition('/')[0].lower()}"


def probing(services: Services, repo: RepoRef) -> bool:
    """Whether the caller is the one who has to find out now if we are let in again; False where nobody shut us out.

    Raises ShutOut while that is not to be asked.
    """
    name = f"{SHUT_OUT}{owner_of(repo)}"
    seen = services.store.setting(name)
    if seen is None:
        return False
    kept, now = Kept.parse(seen), services.clock.now()
    if now < kept.again or not services.store.swap_setting(name, seen, str(replace(kept, again=now + PROBE))):
        raise ShutOut(kept.why, kept.remedy, remembered=True)
    return True


def lost(services: Services, repo: RepoRef, error: ShutOut) -> None:
    """Remember that the owner shut us out, and tell of it once. This very repository is where it is tried again,
    should nobody else have a reason to ask."""
    if error.remembered:
        return
    owner, now = owner_of(repo), services.clock.now()
    name = f"{SHUT_OUT}{owner}"
    services.store.put_setting(f"{BEHIND}{repo}", (now + PROBE).isoformat())
    kept = Kept(str(error), error.remedy, now, now + PROBE)
    if services.store.put_setting(name, str(kept), only_new=True):
        body = f"Nothing of {owner} is planned, gated or deployed until it is let in again: {error}. {error.remedy}"
        title = f"Headgate is shut out of {owner}"
        report(services, Report(f"{name}:{now.isoformat()}", "access", "access.lost", owner, title, body))
        return
    seen = services.store.setting(name)
    since = Kept.parse(seen).since if seen is not None else now
    services.store.put_setting(name, str(replace(kept, since=since)))


def regained(services: Services, repo: RepoRef) -> None:
    """The owner let us in again: everything of theirs is looked at."""
    owner, now = owner_of(repo), services.clock.now()
    name = f"{SHUT_OUT}{owner}"
    if not services.store.put_setting(name, None):
        return
    body = "What waited goes on, and what happened meanwhile is looked for."
    title = f"Headgate is let in again at {owner}"
    report(services, Report(f"let-in:{owner}:{now.isoformat()}", "access", "access.regained", owner, title, body))
    _look_again(services, owner)


def note_access(services: Services, hint: AccessChanged) -> None:
    """Find out at once what became of it."""
    owner = owner_of(RepoRef(hint.host, hint.owner))
    name, now = f"{SHUT_OUT}{owner}", services.clock.now()
    seen = services.store.setting(name)
    if seen is not None:
        services.store.swap_setting(name, seen, str(replace(Kept.parse(seen), again=now)))
    _look_again(services, owner, hint.repos)


def _look_again(services: Services, owner: str, named: tuple[RepoRef, ...] = ()) -> None:
    """At every change of theirs that may be open, and for those that nobody told us of."""
    known = services.store.changes_below(owner)
    listed = listed_repositories(services.settings, owner.partition("/")[0])
    repos = {*named, *(ref.repo for ref in known), *(repo for repo in listed if owner_of(repo) == owner)}
    ours = {repo for repo in repos if rules_for(services.settings, repo) is not None}
    now = services.clock.now()
    for repo in sorted(ours):
        services.store.put_setting(f"{BEHIND}{repo}", now.isoformat())
        services.queue.put(JobKind.CATCH_UP, str(repo))
    for ref in known:
        if ref.repo in ours:
            services.store.mark_dirty(ref, refetch=True)
            services.queue.put(JobKind.ADVANCE, str(ref))
