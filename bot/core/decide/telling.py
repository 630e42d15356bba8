"""What the chat is told: started, succeeded, failed, waits for a person; once each, and not for drafts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core.decide.deploying import Position, Stage, positions
from bot.core.decide.planning import all_planned
from bot.core.effects import StateEffect, Tell
from bot.core.face.markdown import unmarked
from bot.core.fold import told
from bot.core.gate import concerned
from bot.core.model import ChangeState
from bot.core.rules import Mode
from bot.core.runs import Run, RunKind, RunState
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status


def tell_effects(snapshot: Snapshot, verdict: Reason) -> tuple[StateEffect, ...]:
    """Messages that were not told yet. Titles, failures and names are strangers' words, so in no chat are they
    markup."""
    if snapshot.rules.mode is Mode.OBSERVE:
        return ()
    found = (
        *_waiting(snapshot, verdict),
        *_runs(snapshot),
        *_bypassed(snapshot),
        *_left(snapshot),
        *_reminders(snapshot),
    )
    return tuple(
        replace(tell, title=unmarked(tell.title), body=unmarked(tell.body))
        for tell in found
        if told(tell) not in snapshot.memory.said
    )


def _name(snapshot: Snapshot) -> str:
    return f"{snapshot.ref.repo.path}{snapshot.called(snapshot.ref.number)} {snapshot.change.title}"


def _waiting(snapshot: Snapshot, verdict: Reason) -> Iterable[Tell]:
    """Told once per commit, when everything is planned and only people are missing."""
    change = snapshot.change
    if change.state is not ChangeState.OPEN or change.draft or not all_planned(snapshot):
        return
    if verdict.status is not Status.PENDING:
        return
    blockers = {reason.rule: reason for reason in verdict.blockers()}
    for environment in concerned(snapshot):
        reason = blockers.get(f"approvals.{environment}")
        if reason is not None:
            body = reason.text + (f". Could approve: {', '.join(reason.who)}" if reason.who else "")
            yield Tell(f"waiting:{change.head_sha}:{environment}", "waiting", environment, _name(snapshot), body)


def _runs(snapshot: Snapshot) -> Iterable[Tell]:
    for run in snapshot.runs:
        if run.kind is not RunKind.DEPLOY or run.state is RunState.QUEUED:
            continue
        environment, name = run.project.environment, run.project.name
        if run.started_at is not None:
            yield Tell(f"started:{run.id}", "started", environment, _name(snapshot), f"deploying {name}")
        match run.state:
            case RunState.SUCCEEDED:
                yield Tell(f"succeeded:{run.id}", "succeeded", environment, _name(snapshot), f"{name} is deployed")
            case RunState.FAILED:
                yield Tell(f"failed:{run.id}", "failed", environment, _name(snapshot), _failure(run))
            case RunState.DIFFERS:
                body = f"{name} was not deployed: it would now do something that nobody reviewed"
                yield Tell(f"failed:{run.id}", "failed", environment, _name(snapshot), body)
            case RunState.SUSPECT:
                body = f"nobody knows whether the deploy of {name} still runs; its lock stays"
                yield Tell(f"suspect:{run.id}", "failed", environment, _name(snapshot), body)
            case _:
                pass


def _failure(run: Run) -> str:
    why = run.failure.message if run.failure else "it stopped"
    return f"{run.project.name} failed: {why}"


def _bypassed(snapshot: Snapshot) -> Iterable[Tell]:
    merge = snapshot.memory.merge
    if merge is not None and not merge.admitted and snapshot.intents:
        body = f"merged by {merge.by or 'somebody'} although {merge.why_not}; nothing was deployed"
        yield Tell(f"bypass:{merge.sha}", "stray", "", _name(snapshot), body)


def _left(snapshot: Snapshot) -> Iterable[Tell]:
    line = snapshot.left_line
    if line is not None:
        body = f"left the {snapshot.line} without being merged: {line.why}"
        yield Tell(f"left:{line.head[:12]}:{line.gone_at:%Y%m%dT%H%M%S}", "waiting", "", _name(snapshot), body)


# ---------------------------------------------------------------------------------------- reminders


def stopped(snapshot: Snapshot) -> tuple[Position, ...]:
    """Deploys that stopped and that nobody has dealt with: no newer request, nothing deployed over them."""
    found = []
    for position in positions(snapshot):
        if position.stage not in (Stage.FAILED, Stage.DIFFERS, Stage.SUSPECT) or position.run is None:
            continue
        ended = position.run.finished_at or position.run.created_at
        if not any(request.since > ended for request in snapshot.memory.requests):
            found.append(position)
    return tuple(found)


def reminder_times(snapshot: Snapshot) -> tuple[datetime, ...]:
    """When the next reminder of each stopped deploy is due."""
    step = snapshot.limits.reminder
    times = []
    for position in stopped(snapshot):
        ended = _ended(position)
        past = int((snapshot.now - ended).total_seconds() // step)
        times.append(ended + timedelta(seconds=(max(past, 0) + 1) * step))
    return tuple(times)


def _ended(position: Position) -> datetime:
    run = position.run
    return (run.finished_at or run.lease_until or run.created_at) if run else position.intent.since


def _reminders(snapshot: Snapshot) -> Iterable[Tell]:
    """Repeated until somebody acknowledges: a failed deploy on a Friday night must not be forgotten."""
    for position in stopped(snapshot):
        past = int((snapshot.now - _ended(position)).total_seconds() // snapshot.limits.reminder)
        if position.run is not None and past >= 1:
            body = f"{position.project.name} still is not deployed ({position.stage.value}); any command acknowledges"
            key = f"reminder:{position.run.id}:{past}"
            yield Tell(key, "failed", position.project.environment, _name(snapshot), body)
