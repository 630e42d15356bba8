"""What a removed project would leave behind: counted with the target branch's own code, never forgotten (law 3).

A removed project is deployed by nobody any more, so what it owns would stay and belong to no commit. It is counted by
a plan run of its own, as it stands on the target branch. Something left blocks, and nothing left does not; where its
tool cannot tell, people have to approve that it is left.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.core.decide.planning import given_up, outdated
from bot.core.effectset import Action, EffectSet, ResourceEffect, effect_set
from bot.core.face.words import plural
from bot.core.project import Affected, Project, Standing
from bot.core.runs import Run, RunState
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status


def effects(project: Project, count: int | None) -> EffectSet:
    """What removing it does: where nobody can tell what it owns, it is forgotten as a whole, and that is reviewed."""
    if count is not None:
        return EffectSet()
    return effect_set((ResourceEffect(project.name, Action.FORGET, project.tool),))


def removed(snapshot: Snapshot) -> tuple[Affected, ...]:
    """The projects that the change removes."""
    return tuple(each for each in snapshot.selection.affected if each.standing is Standing.REMOVED)


def counting(snapshot: Snapshot, each: Affected) -> Run | None:
    """The run that counted what the project owns; None while none has come to a good end, or since something was
    deployed there."""
    run = snapshot.plan_of(each.project.name, each.digest)
    if run is None or run.state is not RunState.SUCCEEDED or run.plan is None or outdated(snapshot, run):
        return None
    return run


def owned(snapshot: Snapshot, each: Affected) -> int | None:
    """How many things it owns; None when that is not known (yet)."""
    run = counting(snapshot, each)
    return run.plan.owned if run is not None and run.plan is not None else None


def uncountable(snapshot: Snapshot, each: Affected) -> bool:
    """It is removed, and its tool was asked and cannot tell what it owns."""
    asked = each.standing is Standing.REMOVED and counting(snapshot, each) is not None
    return asked and owned(snapshot, each) is None


def reasons(snapshot: Snapshot) -> Iterable[Reason]:
    """For each removed project, whether what it owns allows that."""
    for each in removed(snapshot):
        name, count = each.project.name, owned(snapshot, each)
        rule = f"removed.{name}"
        if counting(snapshot, each) is None:
            yield _uncounted(snapshot, each, rule)
        elif count is None:
            yield Reason(rule, Status.SKIPPED, f"{name} is removed; {each.project.tool} cannot tell what it owns")
        elif count:
            yield Reason(
                rule,
                Status.DENIED,
                f"{name} is removed, but {plural(count, 'thing')} it owns would stay behind unmanaged",
                values=(("owned", str(count)),),
                who=(snapshot.change.author,),
                how="first empty the project in a change of its own, then remove it",
            )
        else:
            yield Reason(rule, Status.APPROVED, f"{name} is removed and owns nothing any more")


def _uncounted(snapshot: Snapshot, each: Affected, rule: str) -> Reason:
    name, run = each.project.name, snapshot.plan_of(each.project.name, each.digest)
    if run is None or not (run.state is RunState.FAILED or given_up(snapshot, run)):
        return Reason(rule, Status.PENDING, f"{name} is removed, and what it owns is being counted")
    why = f": {run.failure.message}" if run.failure is not None else ""
    return Reason(
        rule,
        Status.DENIED,
        f"{name} is removed, and what it owns could not be counted{why}",
        who=("anyone with write permission",),
        how=f"`/plan {name}` to count again",
    )


def result(snapshot: Snapshot, each: Affected) -> str:
    """Its line in the table."""
    count = owned(snapshot, each)
    return "removed" if count is None else f"removed, owns {plural(count, 'thing') if count else 'nothing'}"


def sentence(snapshot: Snapshot, each: Affected) -> str:
    """What people are told of it, after its name."""
    count = owned(snapshot, each)
    if count:
        return f"is removed by this change, but {plural(count, 'thing')} it owns would stay behind unmanaged"
    if count == 0:
        return "is removed by this change, and owns nothing any more"
    if uncountable(snapshot, each):
        return (
            f"is removed by this change. {each.project.tool} cannot tell what it owns: whatever that is stays behind"
        )
    return "is removed by this change, but nothing destroys what it owns"
