"""What happens after the merge: was it admitted, which project may deploy now, with which reviewed effects.

No deploy starts without a gate record that was valid at the merge, or an explicit acceptance of exactly the
effects at hand by people who satisfy the rule for them (laws 6, 7, 9, 11).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from bot.core.decide.planning import planned_fingerprints, run_id
from bot.core.decide.windows import closed
from bot.core.effects import RecordMerge, StartRun, StateEffect
from bot.core.guard.judging import denials
from bot.core.model import ChangeState, Permission
from bot.core.people import contributors
from bot.core.project import DeployMode, Project, Standing
from bot.core.record import GateRecord, Intent, IntentState, Judgement, MergeRecord, Request, Verb
from bot.core.rules import Mode
from bot.core.runs import Run, RunKind, RunState
from bot.core.snapshot import MergeFact, Snapshot

MAX_READBACKS = 3
"""A deploy whose process keeps dying is read back and resumed this often; then a person must say ``/deploy``."""


# ---------------------------------------------------------------------------------------- the merge


def merge_effects(snapshot: Snapshot) -> tuple[StateEffect, ...]:
    """Record how a merged change came in, and claim its targets; once."""
    fact = snapshot.merge
    if (
        snapshot.change.state is not ChangeState.MERGED
        or snapshot.memory.merge is not None
        or fact is None
        or not fact.order
        or not snapshot.fresh
        or snapshot.rules.mode is not Mode.ENFORCE
    ):
        return ()
    record, why_not = _admission(snapshot, fact)
    at = snapshot.change.merged_at or snapshot.now
    merge = MergeRecord(
        sha=fact.sha,
        first_parent=fact.first_parent,
        tree=fact.tree,
        order=fact.order,
        at=at,
        by=snapshot.change.merged_by,
        mechanical=fact.mechanical,
        rules_digest=fact.rules_digest,
        admitted=record.id if record else "",
        why_not=why_not,
    )
    return (RecordMerge(merge, _intents(snapshot, merge, record)),)


def _admission(snapshot: Snapshot, fact: MergeFact) -> tuple[GateRecord | None, str]:
    """The record under which the merge may deploy, or a sentence saying what was missing."""
    change = snapshot.change
    merged_at = change.merged_at or snapshot.now
    records = [
        record
        for record in snapshot.memory.records
        if record.head == change.head_sha and record.base_ref == change.base_ref and record.base not in fact.held_by
    ]
    if not records:
        return None, f"the gate was never open for `{change.head_sha[:7]}`"
    standing = [record for record in records if _stood_at(record, merged_at)]
    if not standing:
        return None, "the gate was not open when it was merged"
    if not fact.mechanical:
        return None, "the merge contains something that is neither in the branch nor in its base"
    fitting = [record for record in standing if record.rules_digest == fact.rules_digest]
    if not fitting:
        return None, "the rules changed between the gate's opening and the merge"
    return fitting[-1], ""


def _stood_at(record: GateRecord, merged_at: datetime) -> bool:
    """Hosts tell the merge in whole seconds, so the record's own second counts as before it."""
    opened = record.opened_at.replace(microsecond=0)
    return opened <= merged_at and (record.closed_at is None or record.closed_at > merged_at)


def _intents(snapshot: Snapshot, merge: MergeRecord, record: GateRecord | None) -> tuple[Intent, ...]:
    """One claim per project that would do something. A bypassing merge claims everything it affects, stopped."""
    found: list[Intent] = []
    for each in snapshot.selection.affected:
        if each.standing is Standing.REMOVED:
            continue
        reviewed = snapshot.sets.get(record.effects.get(each.project.name, "")) if record else None
        if reviewed is not None and reviewed.empty:
            continue
        found.append(
            Intent(
                change=snapshot.ref,
                project=each.project.name,
                target=(each.wanted or each.project).target,
                order=merge.order,
                sha=merge.sha,
                state=IntentState.WAITING if record else IntentState.STOPPED,
                since=merge.at,
                reason="" if record else merge.why_not,
                branch=snapshot.change.base_ref,
            )
        )
    return tuple(found)


# -------------------------------------------------------------------------------------- the deploys


class Stage(enum.Enum):
    """Where one project's deploy stands; for deciding and for showing."""

    WAITING = "waiting"
    """For projects or environments before it, for earlier merges, for a pause, or for its turn."""
    COMMAND = "command"
    """For somebody to say ``/deploy``."""
    ACTIVE = "active"
    SUSPECT = "suspect"
    DONE = "done"
    DIFFERS = "differs"
    FAILED = "failed"
    BYPASSED = "bypassed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Position:
    """One project's deploy: its stage, the last run, and in a few words what it waits for."""

    project: Project
    intent: Intent
    stage: Stage
    run: Run | None = None
    waits_for: str = ""


def positions(snapshot: Snapshot) -> tuple[Position, ...]:
    """Every project this merged change deploys, in the order of the selection."""
    found = []
    for intent in snapshot.intents:
        affected = snapshot.selection.named(intent.project)
        runs = snapshot.deploys_of(intent.project)
        # Once merged, an altered binding is the binding: both environments' gates had to be open for it.
        merged = (affected.wanted or affected.project) if affected else None
        project = merged or (runs[-1].project if runs else None)
        if project is not None:
            found.append(_position(snapshot, project, intent, runs[-1] if runs else None))
    return tuple(found)


def _position(snapshot: Snapshot, project: Project, intent: Intent, last: Run | None) -> Position:
    stage = _settled_stage(snapshot, intent, last)
    if stage is not None:
        return Position(project, intent, stage, last)
    waits = _waits_for(snapshot, project, forced=released(snapshot, project.name, last) is not None)
    if waits:
        return Position(project, intent, Stage.WAITING, last, waits)
    if _needs_command(snapshot, project, last):
        return Position(project, intent, Stage.COMMAND, last)
    return Position(project, intent, Stage.WAITING, last, "its turn")


def _settled_stage(snapshot: Snapshot, intent: Intent, last: Run | None) -> Stage | None:
    """The stage when it does not depend on anything but this project itself."""
    match intent.state:
        case IntentState.DEPLOYED:
            return Stage.DONE
        case IntentState.SUPERSEDED:
            return Stage.SUPERSEDED
        case _:
            pass
    if last is not None and not last.state.over:
        return Stage.SUSPECT if last.state is RunState.SUSPECT else Stage.ACTIVE
    if released(snapshot, intent.project, last) is not None:
        return None
    if last is None:
        return Stage.BYPASSED if _bypassed(snapshot) else None
    match last.state:
        case RunState.DIFFERS:
            return Stage.DIFFERS
        case RunState.FAILED:
            return Stage.FAILED
        case RunState.LOST if last.attempt >= MAX_READBACKS:
            return Stage.FAILED
        case RunState.CANCELLED:
            return Stage.FAILED
        case _:
            return None


def _bypassed(snapshot: Snapshot) -> bool:
    return snapshot.memory.merge is not None and not snapshot.memory.merge.admitted


def _needs_command(snapshot: Snapshot, project: Project, last: Run | None) -> bool:
    mode = project.deploy
    on_command = mode is DeployMode.ON_COMMAND
    return on_command and last is None and released(snapshot, project.name, last) is None


def _waits_for(snapshot: Snapshot, project: Project, *, forced: bool) -> str:
    """What must happen first, in words; empty when nothing. ``forced`` says that somebody said ``/deploy``."""
    if denials(snapshot.selection, project.name):
        return "the static guard, which denies it"
    if snapshot.paused:
        return f"the end of a pause: {snapshot.paused}"
    if when := closed(snapshot, snapshot.environment(project.environment)):
        return when
    if snapshot.frozen:
        return f"the end of the freeze of {snapshot.change.base_ref}: {snapshot.frozen}"
    fact = snapshot.targets.get(project.target)
    if fact is not None and fact.ahead:
        return f"{snapshot.called(fact.ahead[0].change.number)}, which was merged before it"
    states = {intent.project: intent.state for intent in snapshot.intents}
    for name, words in goes_before(snapshot, project).items():
        if states[name] is IntentState.SUPERSEDED and fact is not None and fact.behind and not forced:
            # What it was to follow is gone, and the later change was planned as if this one stayed undeployed.
            return (
                f"{snapshot.called(fact.behind[0].change.number)}, which was merged after it and is deployed over it"
            )
        if states[name] not in (IntentState.DEPLOYED, IntentState.SUPERSEDED):
            return words
    return ""


def goes_before(snapshot: Snapshot, project: Project) -> dict[str, str]:
    """Projects of this change that must be deployed before this one, and how to name each."""
    claimed = sorted(intent.project for intent in snapshot.intents)
    found = {name: name for name in project.depends_on if name in claimed}
    before = earlier_environments(snapshot, project.environment)
    for name in claimed:
        affected = snapshot.selection.named(name)
        if affected is not None and affected.project.environment in before:
            found.setdefault(name, f"{name} ({affected.project.environment} goes first)")
    return found


def earlier_environments(snapshot: Snapshot, environment: str) -> frozenset[str]:
    """Environments whose share is deployed before this one's, transitively; a cycle ends where it began."""
    found: set[str] = set()
    waiting = list(snapshot.environment(environment).after)
    while waiting:
        name = waiting.pop()
        if name not in found and name != environment:
            found.add(name)
            waiting.extend(snapshot.environment(name).after)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Release:
    """Leave for one more deploy run: whose word, and which effects it may apply (empty: those reviewed)."""

    by: tuple[str, ...]
    accepts: str = ""


def released(snapshot: Snapshot, project: str, last: Run | None) -> Release | None:
    """A granted ``/deploy`` for this project that is newer than its last run, if there is one."""
    since = last.created_at if last else None
    fresh = [
        request
        for request in snapshot.memory.requests
        if request.judgement is Judgement.DONE
        and _is_deploy_of(request, project)
        and (not since or request.since > since)
    ]
    plain = [request for request in fresh if request.command and not request.command.accept]
    if plain and not _bypassed(snapshot) and not (last and last.state is RunState.DIFFERS):
        return Release((plain[-1].author,))
    offered = offered_fingerprint(snapshot, project, last)
    accepting = {
        request.author.lower(): request.author
        for request in fresh
        if request.command and request.command.accept and offered.startswith(request.command.accept)
    }
    if offered and len(accepting) >= acceptances_needed(snapshot, project):
        return Release(tuple(sorted(accepting.values())), offered)
    return None


def _is_deploy_of(request: Request, project: str) -> bool:
    command = request.command
    return (
        command is not None
        and command.verb is Verb.DEPLOY
        and (project in command.words or (not command.words and not command.accept))
    )


def offered_fingerprint(snapshot: Snapshot, project: str, last: Run | None) -> str:
    """The effects a person could accept now: what the stopped deploy would do, or what a bypassing merge would."""
    if last is not None and last.plan is not None and last.state is RunState.DIFFERS:
        return last.plan.fingerprint
    if last is None and _bypassed(snapshot):
        return planned_fingerprints(snapshot).get(project, "")
    return ""


def acceptances_needed(snapshot: Snapshot, project: str) -> int:
    """As many people as the environment's rule wants for new effects, at least one."""
    affected = snapshot.selection.named(project)
    return max(1, snapshot.environment(affected.project.environment).approvals if affected else 1)


def may_accept(snapshot: Snapshot, login: str) -> str:
    """Why this person may not accept effects that nobody reviewed; empty when they may."""
    if snapshot.permission_of(login) < Permission.WRITE:
        return "only people with write permission can accept"
    if login.lower() in contributors(snapshot):
        return "who contributed to a change cannot accept its effects"
    return ""


def deploy_effects(snapshot: Snapshot) -> tuple[StateEffect, ...]:
    """Start what may start now."""
    merge = snapshot.memory.merge
    if merge is None or snapshot.rules.mode is not Mode.ENFORCE:
        return ()
    effects: list[StateEffect] = []
    for position in positions(snapshot):
        if position.stage is Stage.WAITING and position.waits_for == "its turn":
            effects.append(StartRun(_deploy_run(snapshot, merge, position)))
    return tuple(effects)


def _deploy_run(snapshot: Snapshot, merge: MergeRecord, position: Position) -> Run:
    last, project = position.run, position.project
    release = released(snapshot, project.name, last)
    record = next((each for each in snapshot.memory.records if each.id == merge.admitted), None)
    reviewed = record.effects.get(project.name, "") if record else ""
    if release is not None and release.accepts:
        reviewed = release.accepts
    elif last is not None:
        reviewed = last.reviewed
    attempt = last.attempt + 1 if last else 1
    affected = snapshot.selection.named(project.name)
    return Run(
        id=run_id(snapshot.ref, "deploy", project.name, merge.sha, attempt),
        change=snapshot.ref,
        kind=RunKind.DEPLOY,
        project=project,
        commit=merge.sha,
        digest=affected.digest if affected else "",
        created_at=snapshot.now,
        attempt=attempt,
        reviewed=reviewed,
        accepted_by=release.by if release and release.accepts else (),
        readback=last is not None and (last.readback or last.applying),
        unlock=_unlock(snapshot, last),
        order=merge.order,
    )


def _unlock(snapshot: Snapshot, last: Run | None) -> str:
    """Whose lock on the tool's own state this deploy may release: the dead run's, or anybody's on a word."""
    if last is None:
        return ""
    if any(
        request.judgement is Judgement.DONE
        and request.command is not None
        and request.command.verb is Verb.UNLOCK
        and request.command.state
        and request.since > last.created_at
        for request in snapshot.memory.requests
    ):
        return "*"
    return last.id if last.state is RunState.LOST else ""
