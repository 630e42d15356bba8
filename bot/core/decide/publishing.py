"""What people are told: the comment, its checks, short extra comments, the host's deployments, the merge itself.

Everything here is derived from state and compared with what stands, so saying it twice says it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from bot.core.decide.deploying import Stage, positions
from bot.core.decide.gating import gate_open
from bot.core.decide.planning import all_planned, held_by_quota, planned_fingerprints
from bot.core.effects import (
    HostEffect,
    LeaveLine,
    MergeChange,
    PublishCheck,
    PublishComment,
    PublishDeployment,
    Say,
    key_of,
)
from bot.core.face.address import reaching
from bot.core.face.checks import Check, gate_check, group_check, plan_check
from bot.core.face.compose import compose
from bot.core.face.render import body_digest, render
from bot.core.face.sayings import approval_dropped, bypassed, deploy_differs, deploy_failed, line_left, merge_waits
from bot.core.gate import concerned, dropped_reviews
from bot.core.model import ChangeState
from bot.core.record import CheckConclusion, FaceShown, Judgement, Request, Verb
from bot.core.rules import Mode
from bot.core.runs import RunKind, RunState
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason

GATE = "headgate/gate"
PLAN = "headgate/plan"


def host_effects(snapshot: Snapshot, verdict: Reason) -> tuple[HostEffect, ...]:
    """Everything that has to be said now and is not held back by a refusal of the host."""
    if snapshot.rules.mode is Mode.OBSERVE:
        return ()
    wanted = (
        *_checks(snapshot, verdict),
        *_comment(snapshot, verdict),
        *_sayings(snapshot, verdict),
        *_deployments(snapshot),
        *_merge(snapshot),
    )
    return tuple(effect for effect in wanted if not _held_back(snapshot, effect))


def held_until(snapshot: Snapshot) -> tuple[datetime, ...]:
    """When refused effects may be tried again."""
    return tuple(
        refusal.not_before for refusal in snapshot.memory.refusals.values() if refusal.not_before > snapshot.now
    )


def _held_back(snapshot: Snapshot, effect: HostEffect) -> bool:
    refusal = snapshot.memory.refusals.get(key_of(effect))
    return refusal is not None and refusal.not_before > snapshot.now


# ------------------------------------------------------------------------------------------- checks


def _checks(snapshot: Snapshot, verdict: Reason) -> Iterable[HostEffect]:
    if snapshot.change.state is not ChangeState.OPEN:
        yield from _last_word(snapshot)
        return
    sha = snapshot.change.head_sha
    wanted = {PLAN: plan_check(snapshot, verdict)}
    if snapshot.rules.mode is Mode.ENFORCE:
        wanted[GATE] = gate_check(snapshot, verdict)
    if not _worth_a_plan_check(snapshot, wanted[PLAN][0]):
        del wanted[PLAN]
    yield from _changed(snapshot, sha, wanted)
    if snapshot.group is not None and snapshot.rules.mode is Mode.ENFORCE:
        yield from _changed(snapshot, snapshot.group.sha, {GATE: group_check(snapshot, snapshot.group, verdict)})


def _changed(snapshot: Snapshot, sha: str, wanted: Mapping[str, Check]) -> Iterable[PublishCheck]:
    """Checks of a commit that do not stand as they should."""
    standing = {check.name: check for check in snapshot.memory.published.checks if check.sha == sha}
    for name, (conclusion, *words) in sorted(wanted.items()):
        summary, text = (reaching(each, slash_commands=snapshot.slash_commands) for each in words)
        shown = standing.get(name)
        if shown is None or shown.conclusion is not conclusion or shown.summary != summary:
            yield PublishCheck(name, sha, conclusion, summary, text)


def _last_word(snapshot: Snapshot) -> Iterable[HostEffect]:
    """A gate that was merged past waits for nobody any more: what stands pending would do so for ever."""
    merge, sha = snapshot.memory.merge, snapshot.change.head_sha
    if merge is None or merge.admitted or snapshot.rules.mode is not Mode.ENFORCE:
        return
    waits = (
        check.name == GATE and check.sha == sha and check.conclusion is CheckConclusion.PENDING
        for check in snapshot.memory.published.checks
    )
    if any(waits):
        yield PublishCheck(GATE, sha, CheckConclusion.FAILURE, "Merged past the gate", "")


def _worth_a_plan_check(snapshot: Snapshot, conclusion: CheckConclusion) -> bool:
    """Only the gate's check need stand while plans run, this one goes along with the comment: fewer writes per push,
    however many projects it plans (law 19)."""
    if snapshot.memory.planning_since is not None and comment_due(snapshot) <= snapshot.now:
        return True
    return conclusion is not CheckConclusion.PENDING and all_planned(snapshot)


# ------------------------------------------------------------------------------------------ comment


def _comment(snapshot: Snapshot, verdict: Reason) -> Iterable[HostEffect]:
    face = compose(snapshot, verdict) if _worth_a_comment(snapshot) else None
    if face is None:
        return
    pages = render(
        face, limit=snapshot.comment_limit, max_pages=snapshot.limits.comment_pages, instance=snapshot.instance
    )
    pages = tuple(reaching(page, slash_commands=snapshot.slash_commands) for page in pages)
    standing = tuple(digest for _, digest in snapshot.memory.published.pages)
    if standing != tuple(body_digest(page) for page in pages) or _new_face(snapshot):
        yield PublishComment(pages, _shown(snapshot, face.headline))


def _shown(snapshot: Snapshot, headline: str) -> FaceShown:
    change, effects = snapshot.change, planned_fingerprints(snapshot)
    headline = reaching(headline, slash_commands=snapshot.slash_commands)
    return FaceShown(snapshot.now, change.head_sha, change.base_ref, effects, headline.removeprefix("> "))


def _new_face(snapshot: Snapshot) -> bool:
    """The same words may show other effects (two plans can read alike); a review must know which it saw."""
    if not snapshot.memory.faces or snapshot.change.state is not ChangeState.OPEN:
        return False
    last = snapshot.memory.faces[-1]
    return (last.head, last.base_ref, dict(last.effects)) != (
        snapshot.change.head_sha,
        snapshot.change.base_ref,
        planned_fingerprints(snapshot),
    )


def _worth_a_comment(snapshot: Snapshot) -> bool:
    """Settled, or slow enough that people wonder; nothing when nothing of ours is affected and nothing stands."""
    change, selection = snapshot.change, snapshot.selection
    if change.state is ChangeState.CLOSED:
        return bool(snapshot.memory.published.pages)
    if change.state is ChangeState.MERGED and snapshot.memory.merge is None:
        return False
    if not snapshot.fresh:
        return False
    stands = bool(snapshot.memory.published.pages)
    if not (selection.affected or selection.problems or selection.conflicts or stands):
        return False
    return all_planned(snapshot) or held_by_quota(snapshot) or comment_due(snapshot) <= snapshot.now


MOST_DOUBLINGS = 8
"""From twenty seconds that leads to something under an hour and a half."""


def comment_due(snapshot: Snapshot) -> datetime:
    """From when on a comment says that planning goes on, and how far it is: at growing intervals, for with many
    projects every plan that ends would be one more write to the host (law 19)."""
    since = snapshot.memory.planning_since or snapshot.now
    quiet, head = snapshot.limits.quiet_plan, snapshot.change.head_sha
    said = [face.at for face in snapshot.memory.faces if face.at > since and face.head == head]
    if not said:
        return since + timedelta(seconds=quiet)
    return said[-1] + timedelta(seconds=quiet * 2.0 ** min(len(said), MOST_DOUBLINGS))


# ------------------------------------------------------------------------------------ short comments


def _sayings(snapshot: Snapshot, verdict: Reason) -> Iterable[HostEffect]:
    """Short new comments, because edits do not notify: only when a person must act, or asked."""
    for say in (
        *_answers(snapshot, verdict),
        *_dropped(snapshot),
        *_stopped_deploys(snapshot),
        *_bypass(snapshot),
        *_left_line(snapshot),
    ):
        if say.key not in snapshot.memory.said:
            yield Say(say.key, reaching(say.body, slash_commands=snapshot.slash_commands))


def _answers(snapshot: Snapshot, verdict: Reason) -> Iterable[Say]:
    for request in snapshot.memory.requests:
        if request.answer and request.judgement is not Judgement.OPEN:
            yield Say(f"answer:{request.id}", f"@{request.author}: {request.answer}")
        elif _merge_waits(snapshot, request):
            yield Say(f"waits:{request.id}", merge_waits(verdict, request))


def _merge_waits(snapshot: Snapshot, request: Request) -> bool:
    """A ``/merge`` for this very commit whose gate is not open: it is told what it waits for, once."""
    return (
        request.command is not None
        and request.command.verb is Verb.MERGE
        and request.judgement is Judgement.OPEN
        and snapshot.change.state is ChangeState.OPEN
        and request.head == snapshot.change.head_sha
        and not gate_open(snapshot)
        and all_planned(snapshot)
    )


def _dropped(snapshot: Snapshot) -> Iterable[Say]:
    """Tell those whose approval no longer counts because the effects changed; not on a draft."""
    if snapshot.change.state is not ChangeState.OPEN or snapshot.change.draft or not all_planned(snapshot):
        return
    current = concerned(snapshot)
    for review in dropped_reviews(snapshot):
        shown = "".join(sorted(planned_fingerprints(snapshot).values()))[:12]
        yield Say(f"dropped:{review.id}:{shown}", approval_dropped(snapshot, review, current))


def _stopped_deploys(snapshot: Snapshot) -> Iterable[Say]:
    for position in positions(snapshot):
        if position.run is None:
            continue
        if position.stage is Stage.FAILED:
            yield Say(f"failed:{position.run.id}", deploy_failed(snapshot, position))
        elif position.stage is Stage.DIFFERS:
            yield Say(f"differs:{position.run.id}", deploy_differs(snapshot, position))


def _bypass(snapshot: Snapshot) -> Iterable[Say]:
    merge = snapshot.memory.merge
    if merge is not None and not merge.admitted and snapshot.intents and all_planned(snapshot):
        yield Say(f"bypass:{merge.sha}", bypassed(snapshot, merge))


def _left_line(snapshot: Snapshot) -> Iterable[Say]:
    line = snapshot.left_line
    if line is not None:
        yield Say(f"left:{line.head[:12]}:{line.gone_at:%Y%m%dT%H%M%S}", line_left(snapshot, line))


# -------------------------------------------------------------------------------------- deployments

HOST_STATES = {
    RunState.QUEUED: "queued",
    RunState.RUNNING: "in_progress",
    RunState.SUSPECT: "in_progress",
    RunState.SUCCEEDED: "success",
    RunState.FAILED: "failure",
    RunState.DIFFERS: "failure",
    RunState.LOST: "failure",
    RunState.CANCELLED: "inactive",
    RunState.SUPERSEDED: "inactive",
}


def _deployments(snapshot: Snapshot) -> Iterable[HostEffect]:
    for run in snapshot.runs:
        if run.kind is not RunKind.DEPLOY or run.state is RunState.QUEUED:
            continue
        state = HOST_STATES[run.state]
        _, _, standing = snapshot.memory.published.deployments.get(run.id, "").rpartition(":")
        if standing != state:
            name = run.project.environment or run.project.name
            link = f"{snapshot.link}/runs/{run.id}" if snapshot.link else ""
            yield PublishDeployment(run.id, run.commit, name, state, f"{run.project.name} {run.state.value}", link)


# -------------------------------------------------------------------------------------------- merge


def _merge(snapshot: Snapshot) -> Iterable[HostEffect]:
    """Merge when somebody allowed asked for it, or the rules say so, and the gate stands open and was shown so.

    In a host's own line the merge is still to come: what the gate has closed for is taken out of it. What left it by
    itself goes there again only when somebody asks.
    """
    change, rules = snapshot.change, snapshot.rules
    if change.state is not ChangeState.OPEN or rules.mode is not Mode.ENFORCE:
        return
    if snapshot.in_line:
        if not gate_open(snapshot):
            yield LeaveLine(change.head_sha)
        return
    if change.draft or not gate_open(snapshot) or not _shown_open(snapshot):
        return
    asked = snapshot.merges_asked(Judgement.OPEN)
    by_rule = rules.auto_merge and snapshot.selection.affected and snapshot.left_line is None
    if asked or by_rule:
        yield MergeChange(change.head_sha, rules.merge_method, asked[0].author if asked else "")


def _shown_open(snapshot: Snapshot) -> bool:
    """The green check stands on the host, else the host itself would refuse."""
    return any(
        check.name == GATE and check.sha == snapshot.change.head_sha and check.conclusion is CheckConclusion.SUCCESS
        for check in snapshot.memory.published.checks
    )
