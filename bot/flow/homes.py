"""Repositories that are called otherwise than before, told apart by their host's number, which no renaming changes.

Where the operator's file names the new name everything goes on under it, with all that is known; else nothing does,
and that is told. Whoever comes to have the old name is a stranger: nothing that was known under it counts for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot.core.config.server import listed_repositories, rules_for
from bot.core.errors import HostBusy, HostDenied, HostGone, Renamed, ShutOut, StoreConflict
from bot.core.model import ChangeRef, Home, HostFacts, RepoRef
from bot.flow.access import PARKED, known_shut_out, look_again, place_of
from bot.flow.reporting import Report, report
from bot.flow.services import Services
from bot.ports import FORMER, SHUT_OUT, JobKind, Store

HOME: Final = "home:"
"""Settings that tell under which name a repository is kept; HOST#NUMBER follows."""
NUMBER: Final = "number-of:"
"""Settings that tell which number a repository has; its name follows."""
BUSY: Final = 30.0
"""Seconds until it is tried again to rename what runs still know by the old name."""


def read_at_home(services: Services, ref: ChangeRef, read: Callable[[], HostFacts]) -> HostFacts:
    """What is read of a change, if that is where it was asked for, and the repository is the one known by the name.

    Raises ShutOut, StoreConflict (look again), HostBusy, and whatever ``read`` raises.
    """
    try:
        facts = read()
        settle(services, ref.repo, facts.home)
    except Renamed as error:
        raise gone_to(services, ref.repo, error.home) from None
    except StoreConflict:
        services.store.mark_dirty(ref, refetch=True)
        raise
    return facts


def is_new(services: Services, repo: RepoRef) -> bool:
    """Whether nobody has looked yet which one it is."""
    return services.store.setting(f"{NUMBER}{repo}") is None


def settle(services: Services, repo: RepoRef, home: Home | None) -> None:
    """A repository was found under the name it was asked for: is it the one that is known by that name?

    Raises StoreConflict when records moved (look again), HostBusy when they have to wait.
    """
    if home is None:
        return
    number = services.store.setting(f"{NUMBER}{repo}")
    if number == home.id:
        return
    if number is not None:
        _park(services, repo, number)
        raise StoreConflict(f"{repo} is another repository than it was")
    name = _name(home)
    known = services.store.setting(name)
    services.store.put_setting(f"{NUMBER}{repo}", home.id)
    services.store.put_setting(name, str(repo))
    if known is not None and known != str(repo):
        _rename(services, RepoRef.parse(known), repo, home)


def gone_to(services: Services, repo: RepoRef, home: Home) -> HostDenied | HostGone:
    """What to say of a repository that was asked for by a name it has no more: it is listed under that one alone, or
    looked after under the other one already.

    Raises StoreConflict when records moved to its new name (look again), HostBusy when they have to wait.
    """
    now, number = home.repo, services.store.setting(f"{NUMBER}{repo}")
    if rules_for(services.settings, now) is None or (number is not None and number != home.id):
        text = f"{repo.path} is called {now.path} now, which the operator's file does not name"
        return ShutOut(text, repo.path, f"Name {now} in place of {repo} in the operator's file, and restart.")
    if services.store.setting(_name(home)) != str(now):
        services.store.put_setting(f"{NUMBER}{repo}", None)
        services.store.put_setting(f"{NUMBER}{now}", home.id)
        services.store.put_setting(_name(home), str(now))
        _rename(services, repo, now, home)
    text = f"{repo.path} is called {now.path} now, and looked after by that name"
    if repo in listed_repositories(services.settings, repo.host):
        return ShutOut(text, repo.path, f"Take {repo} out of the operator's file, and restart.")
    return HostGone(text)


def note_home(services: Services, home: Home) -> None:
    """A delivery told where a repository is: if it is known by another name, that is looked at. No host is asked."""
    if services.store.setting(f"{NUMBER}{home.repo}") == home.id:
        return
    known = services.store.setting(_name(home))
    if known is None or known == str(home.repo):
        return
    old = RepoRef.parse(known)
    if rules_for(services.settings, home.repo) is not None:
        look_again(services, place_of(home.repo), (home.repo,))
    elif not known_shut_out(services, old):
        look_again(services, place_of(old), (old,))


def called(store: Store, subject: str) -> tuple[str, ...]:
    """Under which names the record has a change or a repository, its former ones first."""
    repo, mark, number = subject.partition("!")
    former = store.setting(f"{FORMER}{repo}")
    names = former.split("\n") if former else []
    return tuple(f"{name}{mark}{number}" for name in dict.fromkeys([*names, repo]))


def _name(home: Home) -> str:
    return f"{HOME}{home.repo.host}#{home.id}"


def _rename(services: Services, old: RepoRef, new: RepoRef, home: Home) -> None:
    """Raises StoreConflict once it is done, HostBusy while it cannot be."""
    moved = services.store.rename(old, new, parked=False)
    if moved is None:
        services.store.put_setting(_name(home), str(old))
        services.store.put_setting(f"{NUMBER}{new}", None)
        raise HostBusy(f"runs of {old} are under way, which is called {new.path} now", BUSY)
    services.store.put_setting(f"{SHUT_OUT}{place_of(old)}", None)
    body = "Its changes, records and deploys go on under the new name."
    title = f"{old.path} is called {new.path} now"
    report(services, Report(f"renamed:{old}:{new}:{home.id}", "access", "repository.moved", str(new), title, body))
    for ref in moved:
        services.queue.put(JobKind.ADVANCE, str(ref))
    look_again(services, place_of(new), (new,))
    raise StoreConflict(f"{old} is kept as {new} from now on")


def _park(services: Services, repo: RepoRef, number: str) -> None:
    """What is known by a name that another repository has now; it is found again by its number. Raises HostBusy."""
    parked = RepoRef(repo.host, f"{repo.path}{PARKED}{number}")
    if services.store.rename(repo, parked, parked=True) is None:
        raise HostBusy(f"runs of what was called {repo} are under way", BUSY)
    services.store.put_setting(f"{HOME}{repo.host}#{number}", str(parked))
    body = f"Nothing that was approved, recorded or deployed under that name counts for it; it is kept as {parked}."
    title = f"{repo.path} is another repository than it was"
    report(services, Report(f"another:{repo}:{number}", "access", "repository.another", str(repo), title, body))
