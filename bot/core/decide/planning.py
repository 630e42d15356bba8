"""Which plans a change needs: one per affected project and exact inputs, planned once."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

from bot.core.decide.quotas import room
from bot.core.effects import CancelRun, NotePlanning, StartRun, StateEffect
from bot.core.effectset import EffectSet
from bot.core.guard.judging import denials
from bot.core.model import ChangeState
from bot.core.people import author_may_write
from bot.core.project import Affected, Standing
from bot.core.record import Judgement, Request, Verb
from bot.core.runs import Run, RunKind, RunState
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status

MAX_ATTEMPTS = 3
"""A plan whose process died is planned again this often in all; then a person must ask."""

CROWD = 5
"""With more open changes than this on one target, a moved base replans only those somebody approved."""


def run_id(*parts: object) -> str:
    """A run's id is made of what it is for: deciding twice names the same run, so it is inserted once."""
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:20]


def plannable(snapshot: Snapshot) -> bool:
    """Everything is in place for planning: a complete, sound selection and leave to run its code."""
    selection = snapshot.selection
    return (
        snapshot.fresh
        and not selection.problems
        and not selection.conflicts
        and too_many(snapshot) is None
        and needs_permission_to_plan(snapshot) is None
    )


def plan_effects(snapshot: Snapshot) -> tuple[StateEffect, ...]:
    """Start what is missing, stop what nobody waits for any more."""
    wanted = _wanted(snapshot)
    keys = {(each.project.name, each.digest) for each in wanted}
    effects: list[StateEffect] = [
        CancelRun(run.id, "newer inputs, or no longer wanted")
        for run in snapshot.runs
        if run.kind is RunKind.PLAN and not run.state.over and (run.project.name, run.digest) not in keys
    ]
    missing = _missing_runs(snapshot, wanted)
    starting = missing[: room(snapshot, len(missing))]
    effects += [StartRun(run) for run in starting]
    waiting = any(not run.state.over for run in snapshot.runs if run.kind is RunKind.PLAN) or _put_off(snapshot)
    waiting = waiting or len(missing) > len(starting)
    if (waiting or starting) and snapshot.memory.planning_since is None:
        effects.append(NotePlanning(snapshot.now))
    elif not waiting and not starting and snapshot.memory.planning_since is not None:
        effects.append(NotePlanning(None))
    return tuple(effects)


def _missing_runs(snapshot: Snapshot, wanted: tuple[Affected, ...]) -> tuple[Run, ...]:
    return tuple(run for each in wanted if (run := _next_run(snapshot, each)) is not None)


def over_quota(snapshot: Snapshot) -> int:
    """How many plans that are missing may not be started yet, as too many were of late."""
    most = len(snapshot.selection.affected)
    if room(snapshot, most) == most:
        return 0  # as nearly always: whatever is missing may be started
    missing = len(_missing_runs(snapshot, _wanted(snapshot)))
    return missing - room(snapshot, missing)


def held_by_quota(snapshot: Snapshot) -> bool:
    """All that could be started has ended, and the rest may not be yet."""
    over = all(run.state.over for run in snapshot.runs if run.kind is RunKind.PLAN)
    return over and over_quota(snapshot) > 0


def _wanted(snapshot: Snapshot) -> tuple[Affected, ...]:
    """Affected projects to plan (what a removed one owns is counted): of an open change, or of a merge that
    bypassed the gate (to show its effects)."""
    change, merge = snapshot.change, snapshot.memory.merge
    bypassed = change.state is ChangeState.MERGED and merge is not None and not merge.admitted
    if not (change.state is ChangeState.OPEN or bypassed) or not plannable(snapshot):
        return ()
    selection = snapshot.selection
    return tuple(each for each in selection.affected if not denials(selection, each.project.name))


def _next_run(snapshot: Snapshot, each: Affected) -> Run | None:
    """The plan run to start for a project now, if one is missing."""
    last = snapshot.plan_of(each.project.name, each.digest)
    if deploying_there(snapshot, each):
        return None
    if last is None:
        return None if _stale_and_waiting(snapshot, each) else _plan_run(snapshot, each, 1)
    if not last.state.over:
        return None
    again = _asked_again(snapshot, last) or (_died(last) and not given_up(snapshot, last))
    if not again:
        again = outdated(snapshot, last) and not _stale_and_waiting(snapshot, each)
    return _plan_run(snapshot, each, last.attempt + 1) if again else None


def _died(run: Run | None) -> bool:
    return run is not None and run.state in (RunState.LOST, RunState.CANCELLED)


def given_up(snapshot: Snapshot, run: Run | None) -> bool:
    """Its process died so often, one time after the other, that only a person's word plans it again."""
    if run is None or not _died(run):
        return False
    same = [
        each
        for each in reversed(snapshot.runs)
        if each.kind is RunKind.PLAN and each.project.name == run.project.name and each.digest == run.digest
    ]
    return sum(1 for _ in itertools.takewhile(_died, same)) >= MAX_ATTEMPTS


def outdated(snapshot: Snapshot, run: Run) -> bool:
    """Something was applied on its target after this plan began, so it shows what would have happened then.

    A change that has begun to deploy moves the target itself; its plan is history and stays.
    """
    fact = snapshot.targets.get(run.project.target)
    if fact is None or fact.moved_at is None or snapshot.deploys_of(run.project.name):
        return False
    planned = run.state in (RunState.SUCCEEDED, RunState.FAILED)
    return planned and (run.started_at or run.created_at) < fact.moved_at


def deploying_there(snapshot: Snapshot, each: Affected) -> bool:
    """A deploy runs on the project's target: a plan made now would show half of it, so it waits for its end."""
    fact = snapshot.targets.get(each.project.target)
    return fact is not None and fact.deploying


def _put_off(snapshot: Snapshot) -> bool:
    """A plan that is missing, or no longer true, waits for the end of a deploy."""
    return any(_missing(snapshot, each) for each in _wanted(snapshot) if deploying_there(snapshot, each))


def _missing(snapshot: Snapshot, each: Affected) -> bool:
    last = snapshot.plan_of(each.project.name, each.digest)
    return last is None or (last.state.over and outdated(snapshot, last))


def _plan_run(snapshot: Snapshot, each: Affected, attempt: int) -> Run:
    run = Run(
        id=run_id(snapshot.ref, "plan", each.project.name, each.digest, attempt),
        change=snapshot.ref,
        kind=RunKind.PLAN,
        project=each.project,
        commit=snapshot.selection.commit,
        digest=each.digest,
        created_at=snapshot.now,
        attempt=attempt,
        base=snapshot.selection.base,
        head=snapshot.selection.head,
        stranger=stranger(snapshot),
    )
    if each.standing is not Standing.REMOVED:
        return run
    # Nothing of it is left in the change: what runs is the target branch's own code, with its own binding.
    return replace(run, commit=run.base, base="", head="", stranger=False, counts=True)


def _asked_again(snapshot: Snapshot, last: Run) -> bool:
    """Somebody allowed said /plan for this project after that plan was started."""
    return any(
        request.command is not None
        and request.command.verb is Verb.PLAN
        and request.judgement is Judgement.DONE
        and request.since > last.created_at
        and (not request.command.words or last.project.name in request.command.words)
        for request in snapshot.memory.requests
    )


def _stale_and_waiting(snapshot: Snapshot, each: Affected) -> bool:
    """The base moved under a crowd: this head was planned before and nobody approved it yet, so it waits."""
    planned_before = any(run.project.name == each.project.name for run in snapshot.runs)
    crowd = len(snapshot.rivals.get(each.project.name, ())) > CROWD
    if not (planned_before and crowd):
        return False
    head_shown = any(face.head == snapshot.change.head_sha for face in snapshot.memory.faces)
    return head_shown and not _somebody_waits(snapshot)


def _somebody_waits(snapshot: Snapshot) -> bool:
    head = snapshot.change.head_sha
    approved = any(review.state.value == "approved" for review in snapshot.host.reviews)
    return approved or any(
        request.command is not None
        and request.command.verb in (Verb.MERGE, Verb.PLAN)
        and request.judgement is not Judgement.REFUSED
        and request.head == head
        for request in snapshot.memory.requests
    )


def planned_sets(snapshot: Snapshot) -> dict[str, EffectSet]:
    """Project -> effect set, for every affected project whose present inputs are planned."""
    found: dict[str, EffectSet] = {}
    for name, fingerprint in planned_fingerprints(snapshot).items():
        effects = snapshot.sets.get(fingerprint)
        if effects is not None:
            found[name] = effects
    return found


def planned_fingerprints(snapshot: Snapshot) -> dict[str, str]:
    """Project -> fingerprint of its present plan; projects still without one are left out."""
    found: dict[str, str] = {}
    for each in snapshot.selection.affected:
        run = snapshot.plan_of(each.project.name, each.digest)
        if run is not None and run.state is RunState.SUCCEEDED and run.plan is not None:
            found[each.project.name] = run.plan.fingerprint
    return found


def all_planned(snapshot: Snapshot) -> bool:
    """Nothing is queued, running or put off, and every project that should be planned was tried."""
    return (
        not _missing_runs(snapshot, _wanted(snapshot))
        and all(run.state.over for run in snapshot.runs if run.kind is RunKind.PLAN)
        and not _put_off(snapshot)
    )


# ------------------------------------------------------------------------------------ leave to plan


def too_many(snapshot: Snapshot) -> Reason | None:
    """More affected projects than the limit wait for ``/plan --all``."""
    count, limit = len(snapshot.selection.affected), snapshot.rules.max_projects
    if count <= limit or _granted(snapshot, Verb.PLAN, everything=True):
        return None
    return Reason(
        "too-many",
        Status.PENDING,
        f"{count} projects are affected, more than {limit}; they wait for a word before they are planned",
        values=(("affected", str(count)), ("limit", str(limit))),
        who=("anyone with write permission",),
        how="`/plan --all`",
    )


def stranger(snapshot: Snapshot) -> bool:
    """A fork, or an author who may not write: their code is not run until someone allowed says so (law 4)."""
    return snapshot.change.from_fork or not author_may_write(snapshot)


def needs_permission_to_plan(snapshot: Snapshot) -> Reason | None:
    """A stranger's change waits for ``/ok-to-plan`` with this very commit."""
    head = snapshot.change.head_sha
    if not stranger(snapshot) or any(_is_ok_for(request, head) for request in snapshot.memory.requests):
        return None
    origin = "comes from a fork" if snapshot.change.from_fork else "is by somebody without write permission"
    return Reason(
        "stranger",
        Status.PENDING,
        f"It {origin}, so its code is not run until someone looks at it",
        who=("anyone with write permission",),
        how=f"`/ok-to-plan {head[:12]}`",
    )


def _is_ok_for(request: Request, head: str) -> bool:
    command = request.command
    return (
        command is not None
        and command.verb is Verb.OK_TO_PLAN
        and request.judgement is Judgement.DONE
        and request.head == head
        and bool(command.words)
        and head.startswith(command.words[0].lower())
    )


def _granted(snapshot: Snapshot, verb: Verb, *, everything: bool) -> bool:
    head = snapshot.change.head_sha
    return any(
        request.command is not None
        and request.command.verb is verb
        and request.command.all is everything
        and request.judgement is Judgement.DONE
        and request.head == head
        for request in snapshot.memory.requests
    )


def unplanned(snapshot: Snapshot) -> tuple[str, ...]:
    """Names of affected projects whose present inputs have no finished plan."""
    done = planned_fingerprints(snapshot)
    return tuple(each.project.name for each in snapshot.selection.affected if each.project.name not in done)
