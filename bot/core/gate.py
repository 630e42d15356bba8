"""The gate's verdict as a tree of reasons. The policy language will add rules here; the shape stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from bot.core import leftovers
from bot.core.ci import check_reasons
from bot.core.decide.planning import (
    MAX_ATTEMPTS,
    deploying_there,
    given_up,
    needs_permission_to_plan,
    outdated,
    over_quota,
    planned_sets,
    too_many,
)
from bot.core.decide.quotas import quota_reason
from bot.core.decide.windows import freeze_reasons
from bot.core.effectset import EffectSet
from bot.core.face.model import Danger
from bot.core.face.render import dangers_fit
from bot.core.guard.judging import denials, guard_reasons, look_reason, looks
from bot.core.model import ChangeState, Permission, Review
from bot.core.people import eligible, objections, tally, unknown_hands
from bot.core.policy.standing import policy_approvals, policy_dropped, policy_reasons
from bot.core.project import Affected, Standing
from bot.core.record import Covered, Judgement, Request, Verb
from bot.core.rules import Environment, Survival
from bot.core.runs import Run, RunState
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status, all_of


def judge(snapshot: Snapshot) -> Reason:
    """Whether this change may be merged and deployed as it stands, and why."""
    selection = snapshot.selection
    if not snapshot.fresh or not snapshot.host.complete:
        return all_of("gate", "gate", (_incomplete(snapshot),))
    if selection.problems or selection.conflicts:
        return all_of("gate", "gate", (*_broken(snapshot), *_holds(snapshot)))
    if not selection.affected:
        nothing = Reason("nothing", Status.APPROVED, "Nothing that Headgate manages is affected")
        return all_of("gate", "gate", (nothing, *_guard(snapshot), *_holds(snapshot), *policy_reasons(snapshot)))
    stopped = too_many(snapshot) or needs_permission_to_plan(snapshot)
    if stopped:
        return all_of("gate", "gate", (stopped, *_guard(snapshot), *_draft(snapshot), *_holds(snapshot)))
    return all_of(
        "gate",
        "gate",
        (
            *_guard(snapshot),
            *_quota(snapshot),
            *_plans(snapshot),
            *_order(snapshot),
            *leftovers.reasons(snapshot),
            *_unlistable(snapshot),
            *_draft(snapshot),
            *_holds(snapshot),
            *_host_holds(snapshot),
            *_objections(snapshot),
            *_approvals(snapshot),
            *policy_reasons(snapshot),
            *_checks(snapshot),
            *freeze_reasons(snapshot, concerned(snapshot)),
            *_frozen(snapshot),
        ),
    )


def counted_approvals(snapshot: Snapshot) -> tuple[Covered, ...]:
    """Every approval that counts somewhere, once per person; for the gate record."""
    found: dict[str, Covered] = {}
    for environment, sets in concerned(snapshot).items():
        for covered in tally(snapshot, sets, snapshot.environment(environment).survive, _postdate(snapshot)).counted:
            found.setdefault(covered.login.lower(), covered)
    for covered in policy_approvals(snapshot):
        found.setdefault(covered.login.lower(), covered)
    return tuple(found.values())


def dropped_reviews(snapshot: Snapshot) -> tuple[Review, ...]:
    """Approvals that would count had the effects or the commit not changed since; once per person."""
    found: dict[str, Review] = {}
    for name, sets in concerned(snapshot).items():
        environment = _strict_enough(snapshot, name, sets)
        if environment.approvals:
            for review in tally(snapshot, sets, environment.survive, _postdate(snapshot)).dropped:
                found.setdefault(review.id, review)
    found.update((review.id, review) for review in policy_dropped(snapshot))
    return tuple(found.values())


def concerned(snapshot: Snapshot) -> dict[str, dict[str, EffectSet]]:
    """Environment -> project -> effect set, for projects that would do something or whose binding changes."""
    found: dict[str, dict[str, EffectSet]] = {}
    sets = planned_sets(snapshot)
    for each in snapshot.selection.affected:
        effects = sets.get(each.project.name)
        if effects is None or (effects.empty and each.standing is not Standing.REBOUND):
            continue
        for environment in _environments_of(each):
            found.setdefault(environment, {})[each.project.name] = effects
    return found


def _environments_of(each: Affected) -> tuple[str, ...]:
    """A binding that is altered needs the stricter of both gates: so both count (law 3)."""
    names = [each.project.environment]
    if each.wanted and each.wanted.environment not in names:
        names.append(each.wanted.environment)
    return tuple(names)


def _incomplete(snapshot: Snapshot) -> Reason:
    if not snapshot.host.complete:
        return Reason("facts", Status.PENDING, "The host gave only part of the facts (a list is over its limit)")
    return Reason("discovery", Status.PENDING, f"Finding out what `{snapshot.change.head_sha[:7]}` affects")


def _broken(snapshot: Snapshot) -> Iterable[Reason]:
    selection = snapshot.selection
    if selection.problems:
        count = len(selection.problems)
        yield Reason(
            "configuration",
            Status.DENIED,
            f"The configuration has {count} problem{'s' * (count != 1)}, so nothing was planned",
            values=tuple((f"{problem.file}:{problem.line}", problem.message) for problem in selection.problems[:20]),
            who=(snapshot.change.author,),
            how="push a fix",
        )
    if selection.conflicts:
        yield Reason(
            "conflicts",
            Status.DENIED,
            f"It does not merge with `{snapshot.change.base_ref}`",
            values=tuple(("conflict", path) for path in selection.conflicts[:20]),
            who=(snapshot.change.author,),
            how=f"merge `{snapshot.change.base_ref}` into the branch and resolve",
        )


def _guard(snapshot: Snapshot) -> Iterable[Reason]:
    """What the static guard denies, and what it wants somebody else to look at (on this very commit)."""
    yield from guard_reasons(snapshot.selection, snapshot.change.author)
    found = looks(snapshot.selection)
    if found:
        given = tuple(covered.login for covered in tally(snapshot, {}, Survival.SAME_HEAD, None).counted)
        yield look_reason(found, given, eligible(snapshot))


def _quota(snapshot: Snapshot) -> Iterable[Reason]:
    """Said before the plans that wait for it, as it says more than each of them."""
    reason = quota_reason(snapshot, over_quota(snapshot))
    if reason is not None:
        yield reason


def _plans(snapshot: Snapshot) -> Iterable[Reason]:
    in_turn = over_quota(snapshot) > 0
    for each in snapshot.selection.affected:
        if each.standing is Standing.REMOVED:
            continue
        name = each.project.name
        if denials(snapshot.selection, name):
            continue
        run = snapshot.plan_of(name, each.digest)
        rule = f"plan.{name}"
        if given_up(snapshot, run):
            yield Reason(
                rule,
                Status.DENIED,
                f"The plan of {name} never came to an end, {MAX_ATTEMPTS} times over{_last_words(run)}",
                who=("anyone with write permission",),
                how=f"`/plan {name}`",
            )
        elif run is None or not run.state.over or run.state in (RunState.LOST, RunState.CANCELLED):
            yield Reason(rule, Status.PENDING, f"{name} is {_when(snapshot, each, run, in_turn=in_turn)}")
        elif outdated(snapshot, run):
            yield Reason(
                rule,
                Status.PENDING,
                f"{name} is planned again, because something was deployed on its target since",
                how=f"`/plan {name}` if it takes long",
            )
        elif run.state is RunState.FAILED:
            message = run.failure.message if run.failure else "failed"
            yield Reason(
                rule,
                Status.DENIED,
                f"The plan of {name} failed: {message}",
                who=(snapshot.change.author,),
                how=f"push a fix, or `/plan {name}` to try again",
            )
        else:
            yield Reason(rule, Status.APPROVED, f"{name} is planned")


def _when(snapshot: Snapshot, each: Affected, run: Run | None, *, in_turn: bool) -> str:
    if deploying_there(snapshot, each):
        return "planned when the deploy on its target has ended"
    if in_turn and (run is None or run.state.over):
        return "planned when its turn comes"
    return "being planned"


def _last_words(run: Run | None) -> str:
    return f": {run.failure.message}" if run is not None and run.failure is not None else ""


def _order(snapshot: Snapshot) -> Iterable[Reason]:
    """A plan from before a deploy that is on its way would not be what happens after it (P2)."""
    if snapshot.change.state is not ChangeState.OPEN:
        return
    for each in snapshot.selection.affected:
        fact = snapshot.targets.get(each.project.target)
        for intent in fact.ahead[:1] if fact is not None else ():
            yield Reason(
                f"order.{each.project.name}",
                Status.PENDING,
                f"{snapshot.called(intent.change.number)} was merged before "
                f"and its deploy of {intent.project} has not ended",
                how=f"wait for it: {each.project.name} is planned again then",
            )


def _unlistable(snapshot: Snapshot) -> Iterable[Reason]:
    """Nobody can review a destruction that the comment has no room to name."""
    lines = tuple(
        Danger(name, effect)
        for name, effects in sorted(planned_sets(snapshot).items())
        for effect in effects.destroyed
    )
    if not dangers_fit(lines, limit=snapshot.comment_limit, max_pages=snapshot.limits.comment_pages):
        yield Reason(
            "unlistable",
            Status.DENIED,
            f"{len(lines)} things would be destroyed or replaced, more than the comment can name",
            values=(("destroyed", str(len(lines))), ("pages", str(snapshot.limits.comment_pages))),
            who=(snapshot.change.author,),
            how="split the change",
        )


def _draft(snapshot: Snapshot) -> Iterable[Reason]:
    if snapshot.change.draft:
        yield Reason(
            "draft", Status.PENDING, "It is a draft", who=(snapshot.change.author,), how="mark it ready for review"
        )


def standing_holds(requests: tuple[Request, ...]) -> tuple[Request, ...]:
    """Granted holds that nobody released since."""
    standing: list[Request] = []
    for request in requests:
        if request.command is None or request.judgement is not Judgement.DONE:
            continue
        if request.command.verb is Verb.HOLD:
            standing.append(request)
        elif request.command.verb is Verb.UNHOLD:
            standing.clear()
    return tuple(standing)


def _holds(snapshot: Snapshot) -> Iterable[Reason]:
    for request in standing_holds(snapshot.memory.requests):
        reason = request.command.reason if request.command else ""
        yield Reason(
            "hold",
            Status.PENDING,
            f"{request.author} holds it" + (f": {reason}" if reason else ""),
            who=(request.author, "a maintainer"),
            how="`/unhold`",
        )


def _host_holds(snapshot: Snapshot) -> Iterable[Reason]:
    """What the host would refuse the merge for, once it is ours to say that all is well."""
    if snapshot.change.state is ChangeState.OPEN:
        for number, hold in enumerate(snapshot.change.held, start=1):
            yield Reason(f"host.{number}", Status.PENDING, hold.text, how=hold.how)


def _objections(snapshot: Snapshot) -> Iterable[Reason]:
    for review in objections(snapshot):
        yield Reason(
            "changes-requested",
            Status.DENIED,
            f"{review.author} asked for changes",
            who=(review.author,),
            how="approve, or dismiss that review on the host",
        )


def _postdate(snapshot: Snapshot) -> datetime | None:
    """Approvals must be younger than the last thing that this change inherits."""
    since = [intent.since for fact in snapshot.targets.values() for intent in fact.inherited]
    return max(since) if since else None


def _approvals(snapshot: Snapshot) -> Iterable[Reason]:
    for name, sets in sorted(concerned(snapshot).items()):
        environment = _strict_enough(snapshot, name, sets)
        label = name or "no environment"
        if environment.approvals == 0:
            yield Reason(f"approvals.{name}", Status.SKIPPED, f"{label} needs no approval")
            continue
        yield _approval(snapshot, environment, sets)


def _strict_enough(snapshot: Snapshot, name: str, sets: dict[str, EffectSet]) -> Environment:
    """The environment's rule; one approval at least where something of unknown size is left behind."""
    environment = snapshot.environment(name)
    left = any(
        each.project.name in sets and leftovers.uncountable(snapshot, each) for each in leftovers.removed(snapshot)
    )
    return replace(environment, approvals=max(environment.approvals, 1)) if left else environment


def _approval(snapshot: Snapshot, environment: Environment, sets: dict[str, EffectSet]) -> Reason:
    unknown = unknown_hands(snapshot)
    count = tally(snapshot, sets, environment.survive, _postdate(snapshot))
    have, need = len(count.counted), environment.approvals
    people = tuple(
        login for login in eligible(snapshot) if login not in {covered.login.lower() for covered in count.counted}
    )
    values = (("approvals", f"{have} of {need}"), ("projects", ", ".join(sorted(sets))))
    given = tuple(covered.login for covered in count.counted)
    rule = f"approvals.{environment.name}"
    if unknown:
        text = f"{environment.name} needs approval, and the host does not say {', nor '.join(unknown)}"
        how = "push again with an account the host knows, or let a maintainer push"
        return Reason(rule, Status.PENDING, text, values, (snapshot.change.author,), how, given, count.ignored)
    if have >= need:
        text = f"{environment.name} is approved by {', '.join(given)}"
        return Reason(rule, Status.APPROVED, text, values, (), "", given, count.ignored)
    text = f"{environment.name} needs {need} approval{'s' * (need != 1)} and has {have}"
    if not people:
        text += "; nobody we know of could give it"
    return Reason(rule, Status.PENDING, text, values, people, "approve on the host", given, count.ignored)


def _checks(snapshot: Snapshot) -> Iterable[Reason]:
    rules = [rule for name in concerned(snapshot) for rule in snapshot.environment(name).required_checks]
    yield from check_reasons(rules, snapshot.host.checks, snapshot.change.author)


def _frozen(snapshot: Snapshot) -> Iterable[Reason]:
    if snapshot.frozen:
        text = f"Deploys from `{snapshot.change.base_ref}` are frozen: {snapshot.frozen}"
        who = maintainers(snapshot) or ("a maintainer",)
        yield Reason("frozen", Status.DENIED, text, who=who, how="`/unlock` after looking")


def maintainers(snapshot: Snapshot) -> tuple[str, ...]:
    """Known people who may unlock and release; sorted."""
    known = {**snapshot.people, **snapshot.host.permissions}
    return tuple(sorted(login for login, permission in known.items() if permission >= Permission.MAINTAIN))
