"""Watching target branches: every new first-parent commit is a known merge, or a direct push that is reported.

Also the sweep that finds what webhooks missed: changes that moved, merges nobody told us about (P1, P3).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from bot.core.config.server import rules_for
from bot.core.errors import HostBusy, HostError
from bot.core.model import ChangeRef, HostFacts, RepoRef
from bot.flow.gather import default_branch, head_setting
from bot.flow.perform import wants
from bot.flow.services import Services
from bot.ports import AuditEntry, ChangeStub, Host, JobKind, Message

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
    """On the record, and to the chat, once."""
    if not services.store.put_setting(f"reported:{key}", "1", only_new=True):
        return
    log.warning("%s. %s", title, body)
    now = services.clock.now()
    services.store.audit(AuditEntry("unknown", "branch.stray", str(repo), {"key": key, "what": title}), now)
    message = Message(key=key, group=str(repo), kind="stray", environment="", title=title, body=body)
    services.store.enqueue_messages(
        tuple((route.name, message) for route in services.settings.chat if wants(route, "stray", "")), now
    )
    services.queue.put(JobKind.NOTIFY, "outbox")


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
    host = services.hosts.get(repo.host)
    rules = rules_for(services.settings, repo)
    if host is None or rules is None:
        return 0
    name = f"polled:{repo}"
    now = services.clock.now()
    last = services.store.setting(name)
    whole = last is None or _overdue(services, f"listed:{repo}", now, LIST_EVERY)
    try:
        stubs = host.moved_changes(repo, None) if whole else ()
        if last is not None:
            stubs += host.moved_changes(repo, datetime.fromisoformat(last) - OVERLAP)
        marked = 0
        for stub in stubs:
            row = services.store.change(stub.ref)
            facts = row.memory.host if row else None
            if facts is None and not stub.open:
                continue
            if facts is None or _moved(facts, stub):
                services.store.mark_dirty(stub.ref, refetch=True)
                services.queue.put(JobKind.ADVANCE, str(stub.ref))
                marked += 1
        if any(environment.required_checks for environment in services.settings.environments.values()):
            marked += _mark_waiting(services, repo)
        if marked or _overdue(services, f"watched:{repo}", now, WATCH_EVERY):
            for branch in rules.branches or (default_branch(services, host, repo),):
                watch_branch(services, repo, branch)
            services.store.put_setting(f"watched:{repo}", now.isoformat())
    except HostBusy:
        raise
    except HostError as error:
        log.warning("polling %s: %s", repo, error)
        return 0
    services.store.put_setting(name, now.isoformat())
    if whole:
        services.store.put_setting(f"listed:{repo}", now.isoformat())
    return marked
