"""Watching target branches: every new first-parent commit is a known merge, or a direct push that is reported.

Also the sweep that finds what webhooks missed: changes that moved, merges nobody told us about (P1, P3).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from bot.core.config.server import listed_repositories, rules_for
from bot.core.errors import HostBusy, HostDenied, HostError, HostGone, ShutOut, StoreConflict
from bot.core.model import ChangeRef, HostFacts, RepoRef
from bot.core.rules import RepoRules
from bot.flow.access import BEHIND, PROBE, lost, place_of, probing, regained
from bot.flow.gather import default_branch, head_setting
from bot.flow.homes import gone_to, is_new, settle
from bot.flow.reporting import Report, report
from bot.flow.services import Services
from bot.ports import SHUT_OUT, ChangeStub, Host, JobKind

log = logging.getLogger(__name__)

LOOK_BACK = 200
"""Commits of a target branch looked through at once; more than that in one step is reported as such."""


def watch_branch(services: Services, repo: RepoRef, branch: str) -> None:
    """Attribute what is new on a target branch, then mark the open changes based on it dirty."""
    rules = rules_for(services.settings, repo)
    host = services.hosts.get(repo.host)
    if rules is None or host is None:
        return
    if branch not in (rules.branches or (default_branch(services, host, repo),)):
        return
    mirror = services.mirror(repo)
    seen = services.store.setting(head_setting(repo, branch))
    head = mirror.branch_head(branch)
    if seen == head:
        return
    if seen and mirror.has(seen):
        if not mirror.is_ancestor(seen, head):
            _rewritten(services, repo, branch, seen, head)
        else:
            for sha in reversed(mirror.first_parents(head, since=seen, limit=LOOK_BACK)):
                _attribute(services, host, repo, branch, sha)
    services.store.put_setting(head_setting(repo, branch), head)
    for row in services.store.open_changes(repo):
        if row.memory.host is None or row.memory.host.change.base_ref == branch:
            services.store.mark_dirty(row.ref, refetch=False)
            services.queue.put(JobKind.ADVANCE, str(row.ref))


def _attribute(services: Services, host: Host, repo: RepoRef, branch: str, sha: str) -> None:
    """A commit on the target branch: which change brought it, or nobody's."""
    numbers = _claimed_by(services, host, repo, sha)
    for number in numbers:
        ref = ChangeRef(repo, number)
        services.store.mark_dirty(ref, refetch=True)
        services.queue.put(JobKind.ADVANCE, str(ref))
    if not numbers:
        who = services.store.pushers(repo, (sha,)).get(sha, "") or "somebody"
        _report(
            services,
            repo,
            f"push:{repo}@{branch}:{sha}",
            f"{who} pushed `{sha[:12]}` straight to {branch} of {repo.path}",
            "No change brought it, so nothing was deployed; the next change's plan contains it.",
        )


def _claimed_by(services: Services, host: Host, repo: RepoRef, sha: str) -> tuple[int, ...]:
    known = services.store.change_by_merge(repo, sha)
    if known is not None:
        return (known.number,)
    return host.changes_of_commit(repo, sha)


def _rewritten(services: Services, repo: RepoRef, branch: str, seen: str, head: str) -> None:
    """A rewritten target branch freezes its projects: what was reviewed may no longer be there (law 12)."""
    reason = f"{branch} was rewritten from {seen[:12]} to {head[:12]}"
    services.store.freeze(repo, branch, reason)
    _report(
        services,
        repo,
        f"rewrite:{repo}@{branch}:{head}",
        f"{branch} of {repo.path} was rewritten",
        f"{reason}. Its deploys are frozen; a maintainer can say `/unlock` on a change after looking.",
    )


def _report(services: Services, repo: RepoRef, key: str, title: str, body: str) -> None:
    report(services, Report(key, "stray", "branch.stray", str(repo), title, body))


# --------------------------------------------------------------------------------------------- poll


SAME_MOMENT = timedelta(seconds=2)
WATCH_EVERY = timedelta(minutes=10)
"""A fetch costs both sides more than a listing: while no change moved, branches are looked at this often."""
LIST_EVERY = timedelta(hours=1)
"""What moved is asked for, and now and then all that is open, should something have been missed after all."""
OVERLAP = timedelta(minutes=2)
"""Listings are asked for a little further back than the last one, as hosts' clocks and indexes lag."""


def _mark_waiting(services: Services, repo: RepoRef) -> int:
    """A check that turns green does not touch its change: those that may wait for one are read again."""
    rows = services.store.open_changes(repo)
    for row in rows:
        services.store.mark_dirty(row.ref, refetch=True)
        services.queue.put(JobKind.ADVANCE, str(row.ref))
    return len(rows)


def _moved(facts: HostFacts, stub: ChangeStub) -> bool:
    """Hosts tell whole seconds: what was read in the very second of the last update may have missed some of it."""
    if facts.change.head_sha != stub.head_sha or facts.change.updated_at < stub.updated_at:
        return True
    return facts.read_at is None or stub.updated_at >= facts.read_at - SAME_MOMENT


def _overdue(services: Services, name: str, now: datetime, every: timedelta) -> bool:
    """Whether something was last done so long ago that it is done again."""
    last = services.store.setting(name)
    return last is None or now - datetime.fromisoformat(last) >= every


def poll(services: Services, repo: RepoRef) -> int:
    """Find what moved without a webhook telling; the number of changes marked. Raises HostBusy."""
    try:
        return _poll(services, repo)
    except HostBusy:
        raise
    except (ShutOut, StoreConflict):
        return 0
    except HostError as error:
        log.warning("polling %s: %s", repo, error)
        return 0


def catch_up(services: Services, repo: RepoRef) -> None:
    """Find all that is open, once: the host told nothing for a while, and will not tell it now."""
    name = f"{BEHIND}{repo}"
    seen = services.store.setting(name)
    if seen is None:
        return
    services.store.put_setting(f"listed:{repo}", None)
    try:
        _poll(services, repo, confirm=True)
    except StoreConflict as error:
        log.info("%s; looking again", error)
        services.queue.put(JobKind.CATCH_UP, str(repo))
    except HostError as error:
        pause = error.retry_after if isinstance(error, HostBusy) else PROBE.total_seconds()
        log.info("catching up with %s, again in %.0f s: %s", repo, pause, error)
        due = services.clock.now() + timedelta(seconds=pause)
        services.store.put_setting(name, due.isoformat())
    else:
        if services.store.setting(name) == seen:
            services.store.put_setting(name, None)


def _poll(services: Services, repo: RepoRef, *, confirm: bool = False) -> int:
    """What ``poll`` does; with ``confirm`` it is asked first whether the repository still is the one we know."""
    host = services.hosts.get(repo.host)
    rules = rules_for(services.settings, repo)
    if host is None:
        return 0
    if rules is None:
        _dropped(services, host, repo)
        return 0
    try:
        asks = probing(services, repo)
        if asks or confirm or is_new(services, repo):
            _confirm(services, host, repo)
        marked = _looked(services, host, repo, rules)
    except HostGone:
        if repo not in listed_repositories(services.settings, repo.host):
            raise
        error = _missing(repo)
        lost(services, repo, error)
        raise error from None
    except ShutOut as error:
        lost(services, repo, error)
        raise
    if asks:
        regained(services, repo)
    return marked


def _looked(services: Services, host: Host, repo: RepoRef, rules: RepoRules) -> int:
    try:
        return _look(services, host, repo, rules)
    except (HostDenied, HostGone):
        # A name that is another one now is no refusal, and says more.
        _confirm(services, host, repo)
        raise


def _confirm(services: Services, host: Host, repo: RepoRef) -> None:
    """Raises ShutOut for one that is called otherwise, HostGone for one that is not to be found."""
    home = host.home(repo)
    if home is not None and place_of(home.repo) != place_of(repo):
        raise gone_to(services, repo, home)
    settle(services, repo, home)


def _dropped(services: Services, host: Host, repo: RepoRef) -> None:
    """The operator's file names it no more: by its new name, perhaps."""
    if services.store.put_setting(f"{SHUT_OUT}{place_of(repo)}", None):
        _confirm(services, host, repo)


def _missing(repo: RepoRef) -> ShutOut:
    text = f"{repo.path} cannot be found: it was taken away, moved elsewhere, or our account may not see it"
    return ShutOut(
        text, repo.path, f"Let our account see it, or name another in place of {repo} in the operator's file."
    )


def _look(services: Services, host: Host, repo: RepoRef, rules: RepoRules) -> int:
    name, now = f"polled:{repo}", services.clock.now()
    last = services.store.setting(name)
    whole = last is None or _overdue(services, f"listed:{repo}", now, LIST_EVERY)
    stubs = host.moved_changes(repo, None) if whole else ()
    if last is not None:
        stubs += host.moved_changes(repo, datetime.fromisoformat(last) - OVERLAP)
    marked = sum(_mark(services, stub) for stub in stubs)
    if any(environment.required_checks for environment in services.settings.environments.values()):
        marked += _mark_waiting(services, repo)
    if marked or _overdue(services, f"watched:{repo}", now, WATCH_EVERY):
        for branch in rules.branches or (default_branch(services, host, repo),):
            watch_branch(services, repo, branch)
        services.store.put_setting(f"watched:{repo}", now.isoformat())
    services.store.put_setting(name, now.isoformat())
    if whole:
        services.store.put_setting(f"listed:{repo}", now.isoformat())
    return marked


def _mark(services: Services, stub: ChangeStub) -> bool:
    """Whether a change in a listing is new or has moved; then it is looked at."""
    row = services.store.change(stub.ref)
    facts = row.memory.host if row else None
    if (facts is None and not stub.open) or (facts is not None and not _moved(facts, stub)):
        return False
    services.store.mark_dirty(stub.ref, refetch=True)
    services.queue.put(JobKind.ADVANCE, str(stub.ref))
    return True
