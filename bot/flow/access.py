"""Owners and repositories where nothing goes on, as nobody lets us in any more or the name is another one: they are
asked again now and then, by one change for all, and what waited goes on when it can. What a host tells about it is a
hint like any other.
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
PARKED: Final = "@"
"""Before the number of a repository whose name is another one's now; no host has it in a name."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of such a place: why, the way back, since when, and when to try again."""

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


def place_of(repo: RepoRef) -> str:
    """The repository alone, as HOST/OWNER/NAME."""
    return str(repo).lower()


def probing(services: Services, repo: RepoRef) -> bool:
    """Whether the caller is the one who has to find out now if anything goes on again; False where it does anyway.

    Raises ShutOut while that is not to be asked.
    """
    owner = _probing(services, owner_of(repo))
    return _probing(services, place_of(repo)) or owner


def _probing(services: Services, place: str) -> bool:
    name = f"{SHUT_OUT}{place}"
    seen = services.store.setting(name)
    if seen is None:
        return False
    kept, now = Kept.parse(seen), services.clock.now()
    if now < kept.again or not services.store.swap_setting(name, seen, str(replace(kept, again=now + PROBE))):
        raise ShutOut(kept.why, place.partition("/")[2], kept.remedy, remembered=True)
    return True


def known_shut_out(services: Services, repo: RepoRef) -> bool:
    """Whether it is known already that nothing goes on in this very repository."""
    return services.store.setting(f"{SHUT_OUT}{place_of(repo)}") is not None


def lost(services: Services, repo: RepoRef, error: ShutOut) -> None:
    """Remember where nothing goes on, and tell of it once. This very repository is where it is tried again, should
    nobody else have a reason to ask."""
    if error.remembered:
        return
    place, now = f"{repo.host}/{error.place.lower()}", services.clock.now()
    name = f"{SHUT_OUT}{place}"
    services.store.put_setting(f"{BEHIND}{repo}", (now + PROBE).isoformat())
    kept = Kept(str(error), error.remedy, now, now + PROBE)
    if services.store.put_setting(name, str(kept), only_new=True):
        title, body = f"Nothing is planned, gated or deployed in {place}", f"Because {kept.why}. {kept.remedy}"
        report(services, Report(f"{name}:{now.isoformat()}", "access", "access.lost", place, title, body))
        return
    seen = services.store.setting(name)
    since = Kept.parse(seen).since if seen is not None else now
    services.store.put_setting(name, str(replace(kept, since=since)))


def regained(services: Services, repo: RepoRef) -> None:
    """Something can be had there again: everything is looked at."""
    now = services.clock.now()
    for place in (owner_of(repo), place_of(repo)):
        if services.store.put_setting(f"{SHUT_OUT}{place}", None):
            body = "What waited goes on, and what happened meanwhile is looked for."
            key, title = f"goes-on:{place}:{now.isoformat()}", f"{place} goes on again"
            report(services, Report(key, "access", "access.regained", place, title, body))
            look_again(services, place)


def note_access(services: Services, hint: AccessChanged) -> None:
    """Find out at once what became of it."""
    owner = owner_of(RepoRef(hint.host, hint.owner))
    name, now = f"{SHUT_OUT}{owner}", services.clock.now()
    seen = services.store.setting(name)
    if seen is not None:
        services.store.swap_setting(name, seen, str(replace(Kept.parse(seen), again=now)))
    look_again(services, owner, hint.repos)


def look_again(services: Services, place: str, named: tuple[RepoRef, ...] = ()) -> None:
    """At every change there that may be open, and for those that nobody told us of."""
    known = services.store.changes_below(place)
    listed = listed_repositories(services.settings, place.partition("/")[0])
    there = (repo for repo in listed if place in (owner_of(repo), place_of(repo)))
    repos = {*named, *(ref.repo for ref in known), *there}
    ours = {repo for repo in repos if PARKED not in repo.path and rules_for(services.settings, repo) is not None}
    now = services.clock.now()
    for repo in sorted(ours):
        services.store.put_setting(f"{BEHIND}{repo}", now.isoformat())
        services.queue.put(JobKind.CATCH_UP, str(repo))
    for ref in known:
        if ref.repo in ours:
            services.store.mark_dirty(ref, refetch=True)
            services.queue.put(JobKind.ADVANCE, str(ref))
