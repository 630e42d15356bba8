"""All writes of one decision: first our own memory in one transaction, then the host, effect by effect.

A refusal of the host becomes a fact of the next snapshot (attempts, not before, its words). A write whose outcome
is unknown is read back before it is tried again: comments are found by their hidden marker, everything else is
set, not added.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from bot.core.effects import (
    Decision,
    HostEffect,
    LeaveLine,
    MergeChange,
    PublishCheck,
    PublishComment,
    PublishDeployment,
    Say,
    Tell,
    key_of,
)
from bot.core.errors import HostBusy, HostDenied, HostError, HostGone, HostUnclear, ShutOut
from bot.core.face.address import reaching
from bot.core.face.render import body_digest, marker_of
from bot.core.fold import fold, having_said
from bot.core.project import Selection
from bot.core.record import AuditEntry, CheckShown, InLine, Memory, Refusal
from bot.core.rules import ChatRoute
from bot.core.snapshot import Snapshot
from bot.flow.services import Services
from bot.ports import ChangeRow, CheckToSet, Commit, Host, JobKind, LinesUp, MergeOutcome, Message

log = logging.getLogger(__name__)

FACES_KEPT = 100


def perform_state(
    services: Services, row: ChangeRow, snapshot: Snapshot, decision: Decision, *, refetched: bool
) -> ChangeRow:
    """Write what was decided about our own memory, whole or not at all. Raises StoreConflict."""
    folded = fold(snapshot, decision.state)
    messages = tuple(routed for tell in folded.tells for routed in _routed(services, snapshot, tell))
    commit = Commit(
        memory=folded.memory,
        cleared=row.dirty,
        refetched=refetched,
        state=snapshot.change.state.value,
        wake_at=decision.wake_at,
        runs=tuple(folded.runs),
        cancel=tuple(folded.cancel),
        intents=tuple(folded.intents),
        moves=tuple(folded.moves),
        messages=messages,
        audit=tuple(folded.audit),
        release=tuple(folded.release),
        thaw=folded.thaw,
        targets=_targets(snapshot.selection),
    )
    written = services.store.commit_change(row, commit, snapshot.now)
    for run in folded.runs:
        services.queue.put(JobKind.RUN, run.id, lane=run.project.environment)
    if messages:
        services.queue.put(JobKind.NOTIFY, "outbox")
    return written


def _targets(selection: Selection) -> tuple[str, ...]:
    return tuple(sorted({each.project.target for each in selection.affected if each.project.target}))


def _routed(services: Services, snapshot: Snapshot, tell: Tell) -> list[tuple[str, Message]]:
    message = Message(
        key=f"{snapshot.ref}:{tell.key}",
        group=str(snapshot.ref),
        kind=tell.kind,
        environment=tell.environment,
        title=tell.title,
        body=reaching(tell.body, slash_commands=snapshot.slash_commands),
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
    """Do host effects one after another, remembering each outcome durably before the next one that creates.

    Raises ShutOut.
    """
    memory = snapshot.memory
    merged = False
    for effect in decision.host:
        key = key_of(effect)
        try:
            memory = _do(services, host, snapshot, memory, effect)
            merged = merged or (isinstance(effect, MergeChange | LeaveLine) and not _stands(memory))
        except ShutOut:
            # No word about this effect: nothing is to be had there at all.
            _remember(services, row, snapshot, memory, decision.wake_at)
            raise
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
        audit=_on_record(snapshot, row.memory, memory),
    )
    return services.store.commit_change(row, commit, services.clock.now())


def _on_record(snapshot: Snapshot, before: Memory, after: Memory) -> tuple[AuditEntry, ...]:
    """A merge that is still to come is on the record like one that is done: who asked for it, and that it is off."""
    if before.line == after.line:
        return ()
    subject, line = str(snapshot.ref), after.line
    if line is None:
        return (AuditEntry("headgate", "line.taken_out", subject, {"head": snapshot.change.head_sha}),)
    return (AuditEntry(line.asked_by or "headgate", "line.entered", subject, {"head": line.head}),)


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
            return _merge(services, host, snapshot, memory, effect)
        case LeaveLine():
            return _leave_line(host, snapshot, memory)
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
    words = (effect.name, effect.sha, effect.conclusion, effect.summary, snapshot.link, effect.text)
    host.set_check(snapshot.ref.repo, CheckToSet(*words, change=snapshot.ref))
    shown = CheckShown(effect.name, effect.sha, effect.conclusion, effect.summary)
    shas = {effect.sha, snapshot.change.head_sha, snapshot.group.sha if snapshot.group else ""}
    others = tuple(
        check
        for check in memory.published.checks
        if check.sha in shas and (check.sha, check.name) != (effect.sha, effect.name)
    )
    return replace(memory, published=replace(memory.published, checks=(*others, shown)))


def _say(host: Host, snapshot: Snapshot, memory: Memory, effect: Say) -> Memory:
    body = f"<!-- headgate:{snapshot.instance}:say:{effect.key.replace('--', '- -')} -->\n{effect.body}"
    if not _find(host, snapshot, body):
        host.put_comment(snapshot.ref, "", body)
    return having_said(memory, effect.key)


def _merge(services: Services, host: Host, snapshot: Snapshot, memory: Memory, effect: MergeChange) -> Memory:
    by = f", as {effect.asked_by} asked" if effect.asked_by else ""
    title = f"Merge {snapshot.change.head_ref} ({snapshot.called(snapshot.ref.number)}){by}"
    outcome = host.merge(snapshot.ref, effect.head, effect.method, title)
    if outcome is MergeOutcome.NOT_MERGEABLE:
        raise HostDenied("it says that this cannot be merged now")
    if outcome is MergeOutcome.QUEUED:
        return replace(memory, line=InLine(effect.head, services.clock.now(), effect.asked_by))
    return memory


def _leave_line(host: Host, snapshot: Snapshot, memory: Memory) -> Memory:
    if isinstance(host, LinesUp):
        host.leave_line(snapshot.ref)
    return replace(memory, line=None)


def _stands(memory: Memory) -> bool:
    """In the host's own line, where it is looked at in its time; after any other merge it is looked at now."""
    return memory.line is not None and memory.line.gone_at is None


def _publish_deployment(host: Host, snapshot: Snapshot, memory: Memory, effect: PublishDeployment) -> Memory:
    """On a host without deployments of its own it counts as published: the comment tells of it."""
    known, _, _ = memory.published.deployments.get(effect.key, "").rpartition(":")
    host_id = ""
    if host.capabilities().deployments:
        host_id = host.set_deployment(
            snapshot.ref.repo, known, effect.sha, effect.environment, effect.state, effect.url, effect.description
        )
    deployments = {**memory.published.deployments, effect.key: f"{host_id}:{effect.state}"}
    return replace(memory, published=replace(memory.published, deployments=deployments))
