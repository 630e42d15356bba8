"""All writes of one decision: first our own memory in one transaction, then the host, effect by effect.

A refusal of the host becomes a fact of the next snapshot (attempts, not before, its words). A write whose outcome
is unknown is read back before it is tried again: comments are found by their hidden marker, everything else is
set, not added.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from bot.core.effects import (
    CancelRun,
    CloseGate,
    Decision,
    HostEffect,
    Judge,
    MergeChange,
    Note,
    NotePlanning,
    OpenGate,
    PublishCheck,
    PublishComment,
    PublishDeployment,
    RecordMerge,
    ReleaseTarget,
    Say,
    StartRun,
    StateEffect,
    Tell,
    key_of,
)
from bot.core.errors import HostBusy, HostDenied, HostError, HostGone, HostUnclear
from bot.core.face.render import body_digest, marker_of
from bot.core.project import Selection
from bot.core.record import (
    CheckShown,
    GateRecord,
    Intent,
    Judgement,
    Memory,
    Refusal,
)
from bot.core.rules import ChatRoute
from bot.core.runs import Run, RunKind
from bot.core.snapshot import Snapshot
from bot.flow.services import Services
from bot.ports import AuditEntry, ChangeRow, CheckToSet, Commit, Host, JobKind, MergeOutcome, Message

log = logging.getLogger(__name__)

SAID_KEPT = 400
FACES_KEPT = 100
RECORDS_KEPT = 100


@dataclass(slots=True)
class Draft:
    """What one decision adds up to before it is written."""

    memory: Memory
    runs: list[Run]
    cancel: list[str]
    intents: list[Intent]
    messages: list[tuple[str, Message]]
    audit: list[AuditEntry]
    release: list[str]


def perform_state(
    services: Services, row: ChangeRow, snapshot: Snapshot, decision: Decision, refetched: bool
) -> ChangeRow:
    """Write what was decided about our own memory, whole or not at all. Raises StoreConflict."""
    draft = Draft(snapshot.memory, [], [], [], [], [], [])
    for effect in decision.state:
        _fold(services, snapshot, draft, effect)
    commit = Commit(
        memory=draft.memory,
        cleared=row.dirty,
        refetched=refetched,
        state=snapshot.change.state.value,
        wake_at=decision.wake_at,
        runs=tuple(draft.runs),
        cancel=tuple(draft.cancel),
        intents=tuple(draft.intents),
        messages=tuple(draft.messages),
        audit=tuple(draft.audit),
        release=tuple(draft.release),
        targets=_targets(snapshot.selection),
    )
    written = services.store.commit_change(row, commit, snapshot.now)
    for run in draft.runs:
        services.queue.put(JobKind.RUN, run.id, lane=run.project.environment)
    if draft.messages:
        services.queue.put(JobKind.NOTIFY, "outbox")
    return written


def _targets(selection: Selection) -> tuple[str, ...]:
    return tuple(sorted({each.project.target for each in selection.affected if each.project.target}))


def _fold(services: Services, snapshot: Snapshot, draft: Draft, effect: StateEffect) -> None:
    subject, memory = str(snapshot.ref), draft.memory
    match effect:
        case StartRun(run=run):
            draft.runs.append(run)
            if run.kind is RunKind.DEPLOY:
                detail = {"project": run.project.name, "commit": run.commit, "reviewed": run.reviewed, "run": run.id}
                draft.audit.append(AuditEntry("headgate", "deploy.start", subject, detail))
        case CancelRun(run_id=run_id, why=why):
            draft.cancel.append(run_id)
            draft.audit.append(AuditEntry("headgate", "run.cancel", subject, {"run": run_id, "why": why}))
        case OpenGate(record=record):
            draft.memory = replace(memory, records=(*memory.records, record)[-RECORDS_KEPT:])
            draft.audit.append(AuditEntry("headgate", "gate.open", subject, _record_detail(record)))
        case CloseGate(record_id=record_id, why=why):
            closed = tuple(
                replace(each, closed_at=snapshot.now) if each.id == record_id else each for each in memory.records
            )
            draft.memory = replace(memory, records=closed)
            draft.audit.append(AuditEntry("headgate", "gate.close", subject, {"record": record_id, "why": why}))
        case Judge():
            _fold_judgement(draft, subject, effect)
        case RecordMerge(merge=merge, intents=intents):
            draft.memory = replace(memory, merge=merge)
            draft.intents.extend(intents)
            detail = {"sha": merge.sha, "by": merge.by, "admitted": merge.admitted, "why_not": merge.why_not}
            draft.audit.append(AuditEntry(merge.by or "unknown", "change.merged", subject, detail))
        case ReleaseTarget(target=target, by=by):
            draft.release.append(target)
            draft.audit.append(AuditEntry(by, "target.release", subject, {"target": target}))
        case Tell():
            draft.memory = _having_said(memory, effect.key)
            draft.messages.extend(_routed(services, snapshot, effect))
        case Note(key=key):
            draft.memory = _having_said(memory, key)
        case NotePlanning(since=since):
            draft.memory = replace(memory, planning_since=since)
        case _:
            assert_never(effect)


def _record_detail(record: GateRecord) -> Mapping[str, object]:
    return {
        "record": record.id,
        "head": record.head,
        "base": record.base,
        "tree": record.tree,
        "rules": record.rules_digest,
        "approvals": [covered.login for covered in record.approvals],
        "effects": dict(record.effects),
    }


def _fold_judgement(draft: Draft, subject: str, effect: Judge) -> None:
    judged = []
    for request in draft.memory.requests:
        if request.id != effect.request_id:
            judged.append(request)
            continue
        answer = effect.answer or (request.answer if effect.judgement is Judgement.DONE else "")
        judged.append(replace(request, judgement=effect.judgement, permission=effect.permission, answer=answer))
        verb = request.command.verb.value if request.command else "unknown"
        detail = {"verb": verb, "judgement": effect.judgement.value, "permission": effect.permission.name.lower()}
        draft.audit.append(AuditEntry(request.author, "request.judged", subject, detail))
    draft.memory = replace(draft.memory, requests=tuple(judged))


def _having_said(memory: Memory, key: str) -> Memory:
    return replace(memory, said=(*memory.said, key)[-SAID_KEPT:])


def _routed(services: Services, snapshot: Snapshot, tell: Tell) -> list[tuple[str, Message]]:
    message = Message(
        key=f"{snapshot.ref}:{tell.key}",
        group=str(snapshot.ref),
        kind=tell.kind,
        environment=tell.environment,
        title=tell.title,
        body=tell.body,
        url=snapshot.change.url,
    )
    return [(route.name, message) for route in services.settings.chat if wants(route, tell.kind, tell.environment)]


def wants(route: ChatRoute, kind: str, environment: str) -> bool:
    """Whether a chat route is for this kind of message in this environment."""
    return (not route.when or kind in route.when) and (
        not route.environments or not environment or environment in route.environments
    )


# --------------------------------------------------------------------------------------------- host


def perform_host(services: Services, host: Host, row: ChangeRow, snapshot: Snapshot, decision: Decision) -> ChangeRow:
    """Do host effects one after another, remembering each outcome durably before the next one that creates."""
    memory = snapshot.memory
    merged = False
    for effect in decision.host:
        key = key_of(effect)
        try:
            memory = _do(services, host, snapshot, memory, effect)
            merged = merged or isinstance(effect, MergeChange)
        except HostError as error:
            log.warning("%s: %s: %s", snapshot.ref, key, error)
            memory = _refused(memory, key, error, snapshot.now)
            if isinstance(error, HostBusy):
                break
        else:
            if key in memory.refusals:
                left = {name: refusal for name, refusal in memory.refusals.items() if name != key}
                memory = replace(memory, refusals=left)
        if isinstance(effect, Say | PublishDeployment | PublishComment):
            row = _remember(services, row, snapshot, memory, decision.wake_at)
    row = _remember(services, row, snapshot, memory, decision.wake_at)
    if merged:
        services.store.mark_dirty(snapshot.ref, refetch=True)
    return row


def _remember(
    services: Services,
    row: ChangeRow,
    snapshot: Snapshot,
    memory: Memory,
    wake_at: datetime | None,
) -> ChangeRow:
    if memory == row.memory:
        return row
    commit = Commit(
        memory=memory,
        cleared=row.cleared,
        refetched=False,
        state=snapshot.change.state.value,
        wake_at=wake_at,
    )
    return services.store.commit_change(row, commit, services.clock.now())


def _refused(memory: Memory, key: str, error: HostError, now: datetime) -> Memory:
    """A refusal as a fact: growing pauses, the host's own when it names one."""
    before = memory.refusals.get(key)
    attempts = before.attempts + 1 if before else 1
    match error:
        case HostBusy(retry_after=seconds):
            pause = max(seconds, 1.0)
        case HostUnclear():
            pause = 2.0 * attempts
        case HostDenied():
            pause = min(60.0 * 2**attempts, 6 * 3600.0)
        case _:
            pause = min(10.0 * 2**attempts, 3600.0)
    refusal = Refusal(attempts, now + timedelta(seconds=pause), str(error)[:300])
    return replace(memory, refusals={**memory.refusals, key: refusal})


def _do(services: Services, host: Host, snapshot: Snapshot, memory: Memory, effect: HostEffect) -> Memory:
    """One host effect; returns the memory that knows it was done. Raises HostError."""
    match effect:
        case PublishComment():
            return _publish_comment(services, host, snapshot, memory, effect)
        case PublishCheck():
            return _publish_check(host, snapshot, memory, effect)
        case Say():
            return _say(host, snapshot, memory, effect)
        case MergeChange():
            return _merge(host, snapshot, memory, effect)
        case PublishDeployment():
            return _publish_deployment(host, snapshot, memory, effect)
        case _:
            assert_never(effect)


def _publish_comment(
    services: Services, host: Host, snapshot: Snapshot, memory: Memory, effect: PublishComment
) -> Memory:
    standing = list(memory.published.pages)
    pages: list[tuple[str, str]] = []
    for number, body in enumerate(effect.pages):
        digest = body_digest(body)
        known = standing[number] if number < len(standing) else ("", "")
        if known[1] == digest and known[0]:
            pages.append(known)
            continue
        pages.append((_put(host, snapshot, known[0], body), digest))
    for comment_id, _ in standing[len(effect.pages) :]:
        host.drop_comment(snapshot.ref, comment_id)
    # The face stands from now on, not from when it was decided: a review given in between did not see it.
    shown = replace(effect.shown, at=services.clock.now())
    faces = (*memory.faces, shown)[-FACES_KEPT:]
    return replace(memory, published=replace(memory.published, pages=tuple(pages)), faces=faces)


def _put(host: Host, snapshot: Snapshot, comment_id: str, body: str) -> str:
    """Edit the known comment; else one of ours with the same marker (a crash may have hidden it); else create."""
    if comment_id:
        try:
            return host.put_comment(snapshot.ref, comment_id, body)
        except HostGone:
            log.info("%s: comment %s is gone; writing a new one", snapshot.ref, comment_id)
    found = _find(host, snapshot, body)
    return host.put_comment(snapshot.ref, found, body)


def _find(host: Host, snapshot: Snapshot, body: str) -> str:
    """Our own comment that carries the same hidden marker, read back from the host; empty when there is none."""
    marker = marker_of(body)
    facts = host.change(snapshot.ref, known=snapshot.memory.host, checks=False)
    return next((each.id for each in facts.comments if each.ours and marker_of(each.body) == marker), "")


def _publish_check(host: Host, snapshot: Snapshot, memory: Memory, effect: PublishCheck) -> Memory:
    host.set_check(
        snapshot.ref.repo,
        CheckToSet(effect.name, effect.sha, effect.conclusion, effect.summary, snapshot.link, effect.text),
    )
    shown = CheckShown(effect.name, effect.sha, effect.conclusion, effect.summary)
    others = tuple(
        check for check in memory.published.checks if check.sha == effect.sha and check.name != effect.name
    )
    return replace(memory, published=replace(memory.published, checks=(*others, shown)))


def _say(host: Host, snapshot: Snapshot, memory: Memory, effect: Say) -> Memory:
    body = f"<!-- headgate:{snapshot.instance}:say:{effect.key.replace('--', '- -')} -->\n{effect.body}"
    if not _find(host, snapshot, body):
        host.put_comment(snapshot.ref, "", body)
    return _having_said(memory, effect.key)


def _merge(host: Host, snapshot: Snapshot, memory: Memory, effect: MergeChange) -> Memory:
    by = f", as {effect.asked_by} asked" if effect.asked_by else ""
    title = f"Merge {snapshot.change.head_ref} (#{snapshot.ref.number}){by}"
    outcome = host.merge(snapshot.ref, effect.head, effect.method, title)
    if outcome is MergeOutcome.NOT_MERGEABLE:
        raise HostDenied("it says that this cannot be merged now")
    return memory


def _publish_deployment(host: Host, snapshot: Snapshot, memory: Memory, effect: PublishDeployment) -> Memory:
    known, _, _ = memory.published.deployments.get(effect.key, "").rpartition(":")
    host_id = host.set_deployment(
        snapshot.ref.repo, known, effect.sha, effect.environment, effect.state, effect.url, effect.description
    )
    deployments = {**memory.published.deployments, effect.key: f"{host_id}:{effect.state}"}
    return replace(memory, published=replace(memory.published, deployments=deployments))
