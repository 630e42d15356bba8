"""All reads of one change: its memory, its host, the mirror, the store; the result is one Snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from bot.core.config.server import rules_for
from bot.core.decide.lining import look_due
from bot.core.decide.quotas import WINDOW
from bot.core.effectset import EffectSet
from bot.core.errors import HostBusy
from bot.core.guard.targets import own_findings, with_foreign_targets
from bot.core.model import Change, ChangeRef, ChangeState, HostFacts, Permission, RepoRef
from bot.core.project import Selection
from bot.core.record import Intent, IntentState, Memory, seen_heads
from bot.core.rules import RepoRules
from bot.core.runs import Run, RunState
from bot.core.snapshot import MergeFact, Quota, Snapshot, TargetFact
from bot.flow.access import probing, regained
from bot.flow.grounding import grounded
from bot.flow.grouping import with_group
from bot.flow.homes import read_at_home
from bot.flow.judging import with_policies_judged
from bot.flow.merged import merge_fact
from bot.flow.requests import absorb_asked, absorb_comments, absorb_pressed, asked_setting, pressed_setting
from bot.flow.selecting import Selector, settled
from bot.flow.services import Services
from bot.ports import Capabilities, ChangeRow, Host, Mirror, TargetRow

STALE_FOR = timedelta(minutes=1)
FACES_KEPT = 50
"""Published faces whose effect sets are read: more than anybody's review is old."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """A snapshot, and whether the host was asked for it."""

    snapshot: Snapshot
    refetched: bool


def gather(services: Services, selector: Selector, row: ChangeRow) -> Gathered | None:
    """Everything ``decide`` may look at; None when this change is not ours to look after.

    Raises HostBusy, HostDenied, HostGone, StoreDown.
    """
    ref = row.ref
    rules = rules_for(services.settings, ref.repo)
    host = services.hosts.get(ref.repo.host)
    if rules is None or host is None:
        return None
    mirror = services.mirror(ref.repo)
    now = services.clock.now()
    memory, refetched = _with_host(services, host, row, now)
    change = memory.host.change if memory.host else None
    if change is None or not _ours(services, host, rules, change):
        return None
    _fetch(mirror, change, refetched)
    base = _base(services, mirror, change, refetched)
    merge = merge_fact(mirror, memory, base)
    if memory.merge is None:
        ground = merge.first_parent if merge is not None else base
        rules, stricter = selector.in_force(mirror, ref.repo, rules, ground)
        memory = replace(memory, tightened=stricter)
        merge = replace(merge, rules_digest=rules.digest) if merge is not None else None
    memory = _with_selection(selector, mirror, rules, memory, base, merge)
    snapshot = snapshot_of(services, rules, ref, memory, merge, _view(services, host, ref))
    snapshot = with_policies_judged(services.judge, grounded(host, mirror, snapshot))
    return Gathered(with_group(services, selector, mirror, snapshot), refetched)


def _with_host(services: Services, host: Host, row: ChangeRow, now: datetime) -> tuple[Memory, bool]:
    """The memory with fresh host facts when a delivery, a sweep or the time asked for them, or there are none."""
    memory, shut_out, due = row.memory, probing(services, row.ref.repo), look_due(row.memory)
    if memory.host is not None and not row.refetch and not shut_out and (due is None or now < due):
        return memory, False
    checks = any(environment.required_checks for environment in services.settings.environments.values())
    facts = read_at_home(services, row.ref, lambda: host.change(row.ref, known=memory.host, checks=checks))
    if shut_out:
        regained(services, row.ref.repo)
    _refuse_stale(row, facts, now)
    facts = replace(facts, read_at=now)
    # A delivery only hints: where the host itself says who pushed, that holds.
    told = {sha: who for sha, who in facts.pushers.items() if who}
    pushers = {**_noted_pushers(services, facts), **memory.pushers, **told}
    known = {comment.id for comment in facts.comments}
    # A page of ours that is missing was deleted, or the host's list is stale: it is written again under its id,
    # which is harmless when it is still there.
    pages = tuple((name, digest if name in known else "") for name, digest in memory.published.pages)
    memory = replace(
        memory,
        host=facts,
        heads=seen_heads(memory.heads, facts.change.head_sha, now),
        pushers={sha: who for sha, who in pushers.items() if who},
        published=replace(memory.published, pages=pages),
    )
    memory = absorb_pressed(memory, services.store.setting(pressed_setting(row.ref.repo, facts.change.head_sha)), now)
    memory = absorb_asked(memory, services.store.setting(asked_setting(row.ref)))
    return absorb_comments(memory, services.settings.instance, host.own_login(), now), True


def _refuse_stale(row: ChangeRow, facts: HostFacts, now: datetime) -> None:
    """An answer older than what a delivery told us is asked for again, never decided on (law 13); but not for
    ever: a delivery may have been replayed or the clock of the host may lie."""
    hinted, change = row.hinted_at, facts.change
    # Times alone are not enough: hosts stamp a comment's event a moment after the change it belongs to.
    older = hinted is not None and change.updated_at < hinted and row.hinted_head not in ("", change.head_sha)
    if hinted is None or not older or now - hinted > STALE_FOR:
        return
    raise HostBusy("its answer is older than what it told us", 1.0)


def _noted_pushers(services: Services, facts: HostFacts) -> Mapping[str, str]:
    """Who pushed the head, and each commit that was the head of a push before."""
    change = facts.change
    shas = (change.head_sha, *(commit.sha for commit in facts.commits))
    own = services.store.pushers(change.ref.repo, shas)
    return {**own, **services.store.pushers(change.head_repo, shas)} if change.head_repo else own


def _ours(services: Services, host: Host, rules: RepoRules, change: Change) -> bool:
    """Only target branches that the operator lists are looked after (law 1)."""
    branches = rules.branches or (default_branch(services, host, change.ref.repo),)
    return change.base_ref in branches


def default_branch(services: Services, host: Host, repo: RepoRef) -> str:
    """The repository's default branch, asked once and remembered."""
    name = f"default-branch:{repo}"
    known = services.store.setting(name)
    if known is None:
        known = host.default_branch(repo)
        services.store.put_setting(name, known)
    return known


# ------------------------------------------------------------------------------------------- mirror


def _fetch(mirror: Mirror, change: Change, refetched: bool) -> None:
    wants = [change.head_sha, *([change.merge_sha] if change.merge_sha else [])]
    if refetched or not all(mirror.has(sha) for sha in wants):
        mirror.fetch(wants, branch=change.base_ref, change=change.ref.number)


def head_setting(repo: RepoRef, branch: str) -> str:
    """Where the newest known commit of a target branch is kept."""
    return f"branch-head:{repo}@{branch}"


def _base(services: Services, mirror: Mirror, change: Change, refetched: bool) -> str:
    """The target branch's commit: as the watcher last saw it, or asked for now."""
    known = services.store.setting(head_setting(change.ref.repo, change.base_ref))
    if known and not refetched and mirror.has(known):
        return known
    head = mirror.branch_head(change.base_ref)
    if known is None:
        services.store.put_setting(head_setting(change.ref.repo, change.base_ref), head, only_new=True)
    return head


def _with_selection(
    selector: Selector, mirror: Mirror, rules: RepoRules, memory: Memory, base: str, merge: MergeFact | None
) -> Memory:
    """The memory with the selection of the present commits; computed only when one of them moved."""
    host = memory.host
    if host is None or host.change.state is ChangeState.CLOSED:
        return memory
    change = host.change
    if change.state is ChangeState.MERGED:
        return _with_merged_selection(selector, mirror, rules, memory, merge)
    key = f"{rules.digest}:{base}:{change.head_sha}"
    if memory.selection_key == key:
        return memory
    new = selector.of_merge_result(mirror, change.ref.repo, rules, base, change.head_sha)
    old = own_findings(memory.selection) if memory.selection is not None else None
    return replace(memory, selection=settled(old, new), selection_key=key)


def _with_merged_selection(
    selector: Selector, mirror: Mirror, rules: RepoRules, memory: Memory, merge: MergeFact | None
) -> Memory:
    """After the merge the selection is that of the merged commit against its first parent, once."""
    host = memory.host
    if host is None or merge is None or not merge.order:
        return memory
    key = f"merged:{merge.sha}"
    if memory.selection_key == key:
        return memory
    change = host.change
    selection = selector.between(mirror, change.ref.repo, rules, merge.first_parent, merge.sha, change.head_sha)
    return replace(memory, selection=selection, selection_key=key)


# -------------------------------------------------------------------------------------------- store


@dataclass(frozen=True, slots=True)
class HostView:
    """What a snapshot needs to know of the host beside the change's own facts."""

    bot: str = ""
    people: Mapping[str, Permission] = field(default_factory=dict)
    can: Capabilities = Capabilities(65536, review_has_sha=True, required_by_name=True, rich_checks=False)


def own_login_setting(host: str) -> str:
    """Where our login on a host is kept, for processes that never speak to it."""
    return f"own-login:{host}"


def _view(services: Services, host: Host, ref: ChangeRef) -> HostView:
    login = host.own_login()
    services.store.put_setting(own_login_setting(ref.repo.host), login, only_new=True)
    return HostView(login, host.people(ref.repo), host.capabilities())


def view_from_here(services: Services, name: str) -> HostView:
    """What is known of a host without speaking to it."""
    login, host = services.store.setting(own_login_setting(name)) or "", services.hosts.get(name)
    return HostView(login) if host is None else HostView(login, can=host.capabilities())


def snapshot_of(
    services: Services, rules: RepoRules, ref: ChangeRef, memory: Memory, merge: MergeFact | None, view: HostView
) -> Snapshot:
    """A snapshot of what the store knows now; reads nothing but the store."""
    runs = services.store.runs_of(ref)
    settings = services.settings
    selection = memory.selection or Selection("", "", complete=False)
    targets = _targets(services, ref, memory, selection)
    if memory.selection is not None:
        selection = with_foreign_targets(selection, ref.repo, targets, partial(settings.guard_of, rules))
        memory = replace(memory, selection=selection)
    now = services.clock.now()
    return Snapshot(
        now=now,
        ref=ref,
        rules=rules,
        environments={**settings.environments, **memory.tightened},
        limits=settings.limits,
        memory=memory,
        ground=None,
        runs=runs,
        sets=_sets(services, memory, runs),
        targets=targets,
        merge=merge,
        intents=services.store.intents_of(ref),
        rivals=_rivals(services, ref, selection),
        quotas=_quotas(services, memory, now),
        people=view.people,
        frozen=services.store.frozen(ref.repo, memory.host.change.base_ref) if memory.host else "",
        paused=services.store.setting("paused") or "",
        bot=view.bot,
        link=f"{url}/changes/{ref.repo}/{ref.number}" if (url := public_url(services)) else "",
        instance=settings.instance,
        comment_limit=view.can.comment_limit,
        review_has_sha=view.can.review_has_sha,
        required_by_name=view.can.required_by_name,
        slash_commands=view.can.slash_commands,
        mark=view.can.mark,
        line=view.can.line,
    )


def _quotas(services: Services, memory: Memory, now: datetime) -> tuple[Quota, ...]:
    """What the author and the repository of an open change have used of their shares."""
    if memory.host is None or memory.host.change.state is not ChangeState.OPEN:
        return ()
    change, limits = memory.host.change, services.settings.limits
    shares = (
        ("plans_per_author", change.author, change.author, limits.plans_per_author),
        ("plans_per_repository", change.ref.repo.path, "", limits.plans_per_repository),
    )
    return tuple(_quota(services, change, share, now) for share in shares if share[-1])


def _quota(services: Services, change: Change, share: tuple[str, str, str, int], now: datetime) -> Quota:
    setting, whose, author, limit = share
    at = services.store.plans_since(change.ref.repo, author, now - WINDOW, limit)
    return Quota(setting, whose, len(at), limit, (at[-1] if at else now) + WINDOW)


def public_url(services: Services) -> str:
    """How people reach the pages, without a slash at the end; empty where nothing serves them."""
    listen = services.settings.listen
    return (listen.public_url or (f"http://{listen.pages}" if listen.pages else "")).rstrip("/")


def _sets(services: Services, memory: Memory, runs: tuple[Run, ...]) -> Mapping[str, EffectSet]:
    wanted = {run.plan.fingerprint for run in runs if run.plan}
    wanted.update(run.reviewed for run in runs if run.reviewed)
    for face in memory.faces[-FACES_KEPT:]:
        wanted.update(face.effects.values())
    for record in memory.records[-FACES_KEPT:]:
        wanted.update(record.effects.values())
    return services.store.effect_sets(sorted(wanted))


def _targets(services: Services, ref: ChangeRef, memory: Memory, selection: Selection) -> Mapping[str, TargetFact]:
    names = sorted({each.project.target for each in selection.affected if each.project.target})
    intents = services.store.intents_on(names)
    rows = services.store.targets(names)
    return {name: _target(services, row, intents[name], ref, memory) for name, row in rows.items()}


def _target(
    services: Services, row: TargetRow, intents: Sequence[Intent], ref: ChangeRef, memory: Memory
) -> TargetFact:
    order = memory.merge.order if memory.merge else None
    rest = [intent for intent in intents if intent.change != ref]
    mine = (ref.repo, memory.host.change.base_ref if memory.host else "")
    along = [intent for intent in rest if (intent.change.repo, intent.branch) == mine]
    others = rest if order is None else [intent for intent in along if intent.order < order]
    return TargetFact(
        target=row.target,
        deployed_sha=row.deployed_sha,
        deployed_order=row.deployed_order,
        deployed_repo=row.deployed_repo,
        deployed_environment=row.deployed_environment,
        locked_by=row.locked_by,
        locked_since=row.locked_since,
        moved_at=row.moved_at,
        deploying=_deploying(services, row),
        ahead=tuple(intent for intent in others if intent.state is IntentState.WAITING),
        inherited=tuple(intent for intent in others if intent.state in (IntentState.STOPPED, IntentState.PARKED)),
        behind=tuple(intent for intent in along if order is not None and intent.order > order),
    )


def _deploying(services: Services, row: TargetRow) -> bool:
    """A suspect deploy keeps its lock, perhaps for hours, until a person looks: it is not waited for."""
    run = services.store.run(row.locked_by) if row.locked_by else None
    return run is not None and run.state is RunState.RUNNING


def _rivals(services: Services, ref: ChangeRef, selection: Selection) -> Mapping[str, tuple[ChangeRef, ...]]:
    """Other open changes that concern the same targets, by project."""
    mine = {each.project.target: each.project.name for each in selection.affected if each.project.target}
    found: dict[str, list[ChangeRef]] = {}
    if not mine:
        return {}
    for other in services.store.changes_on(sorted(mine)):
        if other[1] != ref:
            found.setdefault(mine[other[0]], []).append(other[1])
    return {name: tuple(refs) for name, refs in found.items()}
