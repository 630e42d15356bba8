"""State effects folded into a memory: what one decision adds up to, as a value, before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from bot.core.effects import (
    CancelRun,
    CloseGate,
    Judge,
    MoveIntent,
    Note,
    NoteGuard,
    NoteLine,
    NotePlanning,
    OpenGate,
    RecordMerge,
    ReleaseTarget,
    StartRun,
    StateEffect,
    Tell,
    ThawBranch,
)
from bot.core.guard.model import Judged
from bot.core.record import AuditEntry, GateRecord, Intent, Judgement, Memory
from bot.core.runs import Run, RunKind
from bot.core.snapshot import Snapshot

SAID_KEPT = 400
RECORDS_KEPT = 100
FINDINGS_KEPT = 100


@dataclass(slots=True)
class Folded:
    """The new memory, and the rows that are written with it in one transaction."""

    memory: Memory
    runs: list[Run] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    moves: list[MoveIntent] = field(default_factory=list)
    tells: list[Tell] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    release: list[str] = field(default_factory=list)
    thaw: str = ""


def fold(snapshot: Snapshot, effects: Iterable[StateEffect]) -> Folded:
    """Everything that ``effects`` change, in their order."""
    folded = Folded(snapshot.memory)
    for effect in effects:
        _one(snapshot, folded, effect)
    return folded


def _one(snapshot: Snapshot, folded: Folded, effect: StateEffect) -> None:
    subject, memory = str(snapshot.ref), folded.memory
    match effect:
        case StartRun(run=run):
            folded.runs.append(run)
            if run.kind is RunKind.DEPLOY:
                detail = {"project": run.project.name, "commit": run.commit, "reviewed": run.reviewed, "run": run.id}
                folded.audit.append(AuditEntry("headgate", "deploy.start", subject, detail))
        case CancelRun(run_id=run_id, why=why):
            folded.cancel.append(run_id)
            folded.audit.append(AuditEntry("headgate", "run.cancel", subject, {"run": run_id, "why": why}))
        case NoteGuard(key=key, head=head, found=judged):
            folded.memory = having_said(memory, key)
            folded.audit.append(AuditEntry("headgate", "guard.judged", subject, _findings(head, judged)))
        case OpenGate(record=record):
            folded.memory = replace(memory, records=(*memory.records, record)[-RECORDS_KEPT:])
            folded.audit.append(AuditEntry("headgate", "gate.open", subject, _record_detail(record)))
        case CloseGate(record_id=record_id, why=why):
            closed = tuple(
                replace(each, closed_at=snapshot.now) if each.id == record_id else each for each in memory.records
            )
            folded.memory = replace(memory, records=closed)
            folded.audit.append(AuditEntry("headgate", "gate.close", subject, {"record": record_id, "why": why}))
        case Judge():
            _judged(folded, subject, effect)
        case RecordMerge(merge=merge, intents=intents):
            folded.memory = replace(memory, merge=merge)
            folded.intents.extend(intents)
            found = {"sha": merge.sha, "by": merge.by, "admitted": merge.admitted, "why_not": merge.why_not}
            folded.audit.append(AuditEntry(merge.by or "unknown", "change.merged", subject, found))
        case MoveIntent(intent=intent, state=state, reason=reason):
            folded.moves.append(effect)
            detail = {"project": intent.project, "target": intent.target, "state": state.value, "why": reason}
            folded.audit.append(AuditEntry("headgate", "intent.move", subject, detail))
        case ReleaseTarget(target=target, by=by):
            folded.release.append(target)
            folded.audit.append(AuditEntry(by, "target.release", subject, {"target": target}))
        case ThawBranch(branch=branch, by=by):
            folded.thaw = branch
            folded.audit.append(AuditEntry(by, "branch.thaw", subject, {"branch": branch}))
        case Tell():
            folded.memory = having_said(memory, told(effect))
            folded.tells.append(effect)
        case Note(key=key):
            folded.memory = having_said(memory, key)
        case NotePlanning(since=since):
            folded.memory = replace(memory, planning_since=since)
        case NoteLine(line=line):
            folded.memory = replace(memory, line=line)
            if line is not None:
                folded.audit.append(
                    AuditEntry("headgate", "line.left", subject, {"head": line.head, "why": line.why})
                )
        case _:
            assert_never(effect)


def _findings(head: str, found: tuple[Judged, ...]) -> Mapping[str, object]:
    return {"head": head, "count": len(found), "findings": [_finding(each) for each in found[:FINDINGS_KEPT]]}


def _finding(each: Judged) -> Mapping[str, object]:
    finding = each.finding
    where = {"rule": finding.rule, "level": each.level.value, "file": finding.path, "line": finding.line}
    return {**where, "value": finding.value, "project": each.project}


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


def _judged(folded: Folded, subject: str, effect: Judge) -> None:
    judged = []
    for request in folded.memory.requests:
        if request.id != effect.request_id:
            judged.append(request)
            continue
        answer = effect.answer or (request.answer if effect.judgement is Judgement.DONE else "")
        judged.append(replace(request, judgement=effect.judgement, permission=effect.permission, answer=answer))
        verb = request.command.verb.value if request.command else "unknown"
        detail = {"verb": verb, "judgement": effect.judgement.value, "permission": effect.permission.name.lower()}
        folded.audit.append(AuditEntry(request.author, "request.judged", subject, detail))
    folded.memory = replace(folded.memory, requests=tuple(judged))


def told(tell: Tell) -> str:
    """The key under which a chat message is remembered; a comment about the same thing has its own."""
    return f"tell:{tell.key}"


def having_said(memory: Memory, key: str) -> Memory:
    """The memory that knows this was said; the oldest keys are forgotten."""
    return replace(memory, said=(*memory.said, key)[-SAID_KEPT:])
