"""The two checks. ``headgate/gate`` is the one to require: pending waits for someone, failure is denied or broken,
success only while a gate record stands for this very commit. ``headgate/plan`` informs.
"""

from __future__ import annotations

import re

from bot.core.decide.planning import all_planned, planned_sets, unplanned
from bot.core.face.explain import explain
from bot.core.face.markdown import visible
from bot.core.face.words import counted, plural, total
from bot.core.group import Group, differs
from bot.core.guard.judging import denials
from bot.core.record import CheckConclusion
from bot.core.runs import RunState
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status

SUMMARY_LIMIT = 140
"""Characters of a commit status's description: https://docs.github.com/en/rest/commits/statuses"""

Check = tuple[CheckConclusion, str, str]
"""Conclusion, one line, longer Markdown."""


def gate_check(snapshot: Snapshot, verdict: Reason) -> Check:
    """What the required check says."""
    text = explain(verdict)
    if snapshot.fresh and not all_planned(snapshot):
        # The same words until the last plan is done: every other word would be one more write to the host.
        return CheckConclusion.PENDING, "Planning", text
    if verdict.status is Status.DENIED:
        return CheckConclusion.FAILURE, _line(_first(verdict)), text
    record = snapshot.standing_record()
    if verdict.status is Status.APPROVED and record is not None and record.head == snapshot.change.head_sha:
        if not snapshot.selection.affected:
            return CheckConclusion.SUCCESS, "Nothing that Headgate manages is affected", text
        names = ", ".join(covered.login for covered in record.approvals)
        return CheckConclusion.SUCCESS, _line(f"Open: approved by {names}" if names else "Open: may be merged"), text
    return CheckConclusion.PENDING, _line(_first(verdict)), text


def group_check(snapshot: Snapshot, group: Group, verdict: Reason) -> Check:
    """What the required check says of the commit that the host's merge queue would merge.

    Green only when that commit is planned from just what the change was planned and approved from. What goes before
    it may change that; then it waits until that has landed and is deployed, and is planned on top of it, as it is
    whenever its base moves. A queue waits for its checks and for nothing else: what waits for people is red.
    """
    conclusion, summary, text = gate_check(snapshot, verdict)
    if conclusion is CheckConclusion.FAILURE:
        return conclusion, summary, text
    if conclusion is CheckConclusion.PENDING:
        for_people = snapshot.fresh and all_planned(snapshot) and not _deploys_ahead(snapshot)
        return (CheckConclusion.FAILURE if for_people else CheckConclusion.PENDING), summary, text
    other = differs(group, snapshot.selection)
    if other and group.mechanical and not group.landed:
        return CheckConclusion.PENDING, "Waits for what goes before it in the queue to land", text
    return (CheckConclusion.FAILURE, _line(other), text) if other else (conclusion, summary, text)


def _deploys_ahead(snapshot: Snapshot) -> bool:
    """What landed before is still to be deployed on one of its targets: until then its plans show that, too."""
    facts = (snapshot.targets.get(each.project.target) for each in snapshot.selection.affected)
    return any(fact is not None and (fact.deploying or fact.ahead) for fact in facts)


def plan_check(snapshot: Snapshot, verdict: Reason) -> Check:
    """How far planning is, and what came out."""
    del verdict
    selection = snapshot.selection
    if not snapshot.fresh:
        return CheckConclusion.PENDING, "Finding out what is affected", ""
    if selection.problems:
        return CheckConclusion.FAILURE, f"The configuration has {plural(len(selection.problems), 'problem')}", ""
    if selection.conflicts:
        return CheckConclusion.FAILURE, _line(f"It does not merge with {snapshot.change.base_ref}"), ""
    if not selection.affected:
        return CheckConclusion.SUCCESS, "Nothing that Headgate manages is affected", ""
    barred = [each.project.name for each in selection.affected if denials(selection, each.project.name)]
    if barred:
        return CheckConclusion.FAILURE, _line(f"Not run: {', '.join(barred)}"), ""
    failed = [name for name in unplanned(snapshot) if _failed(snapshot, name)]
    if failed:
        return CheckConclusion.FAILURE, _line(f"Failed: {', '.join(failed)}"), ""
    waiting = list(unplanned(snapshot))
    sets = planned_sets(snapshot)
    if waiting:
        done = f"{len(sets)} of {plural(len(selection.affected), 'project')} planned"
        return CheckConclusion.PENDING, _line(done), ""
    counts = counted(total(effects.counts() for effects in sets.values()))
    return CheckConclusion.SUCCESS, _line(f"{counts} in {plural(len(sets), 'project')}"), ""


def _failed(snapshot: Snapshot, name: str) -> bool:
    affected = snapshot.selection.named(name)
    run = snapshot.plan_of(name, affected.digest) if affected else None
    return run is not None and run.state is RunState.FAILED


def _first(verdict: Reason) -> str:
    """The strongest blocker, and how many more there are; what it waits for first when it only waits."""
    blockers = verdict.blockers()
    if not blockers:
        return "Looking at what changed"
    # While plans run, "being planned" says less to a person than whose approval will be missing.
    people = [reason for reason in blockers if not reason.rule.startswith("plan.")] or list(blockers)
    first = blockers[0] if blockers[0].status is Status.DENIED else people[0]
    more = len(blockers) - 1
    return re.sub("`", "", first.text) + (f" (and {more} more)" if more else "")


def _line(text: str) -> str:
    """One line that fits a status, cut between words."""
    flat = " ".join(visible(text).split())
    if len(flat) <= SUMMARY_LIMIT:
        return flat
    return flat[: SUMMARY_LIMIT - 2].rsplit(" ", 1)[0] + " …"
