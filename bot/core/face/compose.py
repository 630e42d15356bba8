"""What a change's comment says, in every state a change can be in; None when there is nothing to say."""

from __future__ import annotations

from bot.core import leftovers
from bot.core.affected import waves
from bot.core.decide.deploying import positions
from bot.core.decide.gating import gate_open
from bot.core.decide.planning import all_planned, planned_fingerprints, planned_sets
from bot.core.effectset import EffectSet
from bot.core.face.aftermath import merged_headline, merged_next, merged_notices, stage_words
from bot.core.face.explain import plain_keeping_code, sentence
from bot.core.face.guard import guard_notices
from bot.core.face.markdown import code, plain
from bot.core.face.model import Danger, Face, Row, Section
from bot.core.face.plan_rules import plan_notices
from bot.core.face.words import both, clock, counted, duration, either, plural, total
from bot.core.gate import concerned, dropped_reviews
from bot.core.guard.judging import denials
from bot.core.model import ChangeState
from bot.core.people import unknown_hands
from bot.core.project import Affected, Project, Standing
from bot.core.rules import Mode
from bot.core.runs import Run, RunState
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status


def compose(snapshot: Snapshot, verdict: Reason) -> Face | None:
    """The face as it should stand now."""
    selection = snapshot.selection
    if selection.problems or selection.conflicts:
        return _broken(snapshot)
    if not selection.affected:
        return Face(headline="> **✅ Nothing that Headgate manages is affected any more**", link=snapshot.link)
    merged = snapshot.change.state is ChangeState.MERGED
    return Face(
        headline=f"> **{merged_headline(snapshot) if merged else _headline(snapshot, verdict)}**{_totals(snapshot)}",
        subline=f"> {_subline(snapshot)}",
        notices=merged_notices(snapshot) if merged else _notices(snapshot, verdict),
        dangers=_dangers(snapshot),
        rows=_rows(snapshot),
        sections=_sections(snapshot),
        next=merged_next(snapshot) if merged else _next(snapshot, verdict),
        footer=_footer(snapshot),
        link=snapshot.link,
    )


# --------------------------------------------------------------------------------------------- head


def _headline(snapshot: Snapshot, verdict: Reason) -> str:
    if snapshot.change.state is ChangeState.CLOSED:
        return "Closed: nothing of this will be deployed"
    dropped = dropped_reviews(snapshot)
    if dropped and verdict.status is not Status.APPROVED:
        names = both([plain(review.author) for review in dropped])
        return f"⛔ The approval of {names} no longer counts: the plan is not what {_they(len(dropped))} saw"
    blockers = verdict.blockers()
    quota = next((reason for reason in blockers if reason.rule == "quota"), None)
    if quota is not None:
        return f"⏸ {plain_keeping_code(quota.text)}"
    if not all_planned(snapshot):
        return "⏳ Planning"
    if verdict.status is Status.DENIED:
        return f"⛔ {plain_keeping_code(blockers[0].text)}{_and_more(len(blockers))}"
    if gate_open(snapshot) or verdict.status is Status.APPROVED:
        return _open_headline(snapshot, _approved(verdict))
    people = [reason for reason in blockers if reason.rule.startswith("approvals.")]
    if people and unknown_hands(snapshot):
        return "⏸ Waiting for a push by somebody the host knows"
    if people:
        have = dict(people[0].values).get("approvals", "").partition(" of ")
        rest = _and_more(len(blockers) - len(people) + 1)
        many = f"{have[2]} approvals, has {have[0]}" if have[2] != "1" else "1 approval"
        return f"⏸ Waiting for {many}{rest}"
    return f"⏸ {plain_keeping_code(blockers[0].text)}{_and_more(len(blockers))}" if blockers else "⏸ Waiting"


def _open_headline(snapshot: Snapshot, approved: str) -> str:
    """The gate is open: what is left is the merge."""
    if snapshot.left_line is not None:
        return f"⚠ It left the {snapshot.line} without being merged: {plain(snapshot.left_line.why)}"
    left = f"on the {snapshot.line}" if snapshot.in_line else "ready to merge"
    return f"✅ Approved by {approved}: {left}" if approved else f"✅ {left[0].upper()}{left[1:]}"


def _they(count: int) -> str:
    return "they" if count > 1 else "that reviewer"


def _and_more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _approved(verdict: Reason) -> str:
    names = sorted({name for leaf in verdict.leaves() for name in leaf.counted})
    return both([plain(name) for name in names])


def _totals(snapshot: Snapshot) -> str:
    sets = planned_sets(snapshot)
    if not sets:
        return ""
    counts = total(effects.counts() for effects in sets.values())
    destroyed = "" if counts.delete or counts.replace else " · nothing destroyed"
    steps = sum(effects.unpredictable for effects in sets.values())
    unsure = f" · {plural(steps, 'step')} that cannot be predicted" if steps else ""
    return f" · {counted(counts).replace(', ', ' · ')}{destroyed}{unsure}"


def _subline(snapshot: Snapshot) -> str:
    change, selection = snapshot.change, snapshot.selection
    count = len(selection.affected)
    quiet = sum(1 for effects in planned_sets(snapshot).values() if effects.empty)
    without = f", {quiet} without changes" if quiet else ""
    how = "merged" if change.state is ChangeState.MERGED else "planned on the merge result"
    onto = f"{code(change.head_sha[:7])} onto {code(change.base_ref)} {code(selection.base[:7])}"
    return f"{onto} ({how}) · {plural(count, 'project')}{without}"


# ------------------------------------------------------------------------------------------ notices


def _notices(snapshot: Snapshot, verdict: Reason) -> tuple[str, ...]:
    found: list[str] = [*guard_notices(snapshot.selection), *plan_notices(verdict)]
    for each in snapshot.selection.affected:
        found += _standing_notice(snapshot, each)
    for fact in snapshot.targets.values():
        for intent in fact.inherited:
            merged, why = snapshot.called(intent.change.number), plain_keeping_code(intent.reason or "it stopped")
            found.append(
                f"> ⚠ **Inherited:** {merged} was merged and left {code(intent.project)} undeployed ({why}); "
                "approvals must be newer."
            )
    for project, others in sorted(snapshot.rivals.items()):
        numbers = ", ".join(snapshot.called(other.number) for other in others[:5]) + ("…" if len(others) > 5 else "")
        found.append(
            f"> ℹ {numbers} also {'concerns' if len(others) == 1 else 'concern'} **{plain(project)}**: "
            "whichever is merged second is planned again."
        )
    if any(leaf.rule.startswith("approvals.") for leaf in verdict.blockers()) and unknown_hands(snapshot):
        found.append(f"> ⚠ The host does not say {plain_keeping_code(', nor '.join(unknown_hands(snapshot)))}.")
    if snapshot.paused:
        found.append(f"> ⏸ Deploys are paused: {plain(snapshot.paused)}. What is merged now waits.")
    return tuple(found)


def _standing_notice(snapshot: Snapshot, each: Affected) -> list[str]:
    name = plain(each.project.name)
    match each.standing:
        case Standing.REBOUND if each.wanted is not None:
            altered = _bindings(each.project, each.wanted)
            return [
                f"> ⚠ **{name}** is bound differently by this change ({altered}). Until it is merged the "
                "target branch's binding is used, and the stricter gate of the two counts."
            ]
        case Standing.REMOVED:
            return [f"> ⚠ **{name}** {plain(leftovers.sentence(snapshot, each))}."]
        case Standing.NEW if not each.project.environment:
            return [
                f"> ⚠ **{name}** is new and no environment is granted to {code(each.project.path)}, so it gets no "
                "credentials. The operator grants it under `environments` of the repository."
            ]
        case _:
            return []


def _bindings(before: Project, after: Project) -> str:
    pairs = (
        ("tool", before.tool, after.tool),
        ("environment", before.environment, after.environment),
        ("workspace", before.workspace, after.workspace),
        ("path", before.path, after.path),
        ("target", before.target, after.target),
        ("deploy", before.deploy.value, after.deploy.value),
    )
    said = [f"{name} {code(old or 'none')} → {code(new or 'none')}" for name, old, new in pairs if old != new]
    return ", ".join(said) or "its options"


def _dangers(snapshot: Snapshot) -> tuple[Danger, ...]:
    return tuple(
        Danger(plain(name), effect)
        for name, effects in sorted(planned_sets(snapshot).items())
        for effect in effects.destroyed
    )


# -------------------------------------------------------------------------------------------- table


def _rows(snapshot: Snapshot) -> tuple[Row, ...]:
    """Failed, destroying, changing; what does nothing shares one row per environment."""
    sets = planned_sets(snapshot)
    rows: list[tuple[int, Row]] = []
    quiet: dict[str, list[str]] = {}
    stages = {position.project.name: position for position in positions(snapshot)}
    for each in snapshot.selection.affected:
        name, environment = each.project.name, plain(each.project.environment or "none")
        effects = sets.get(name)
        if each.standing is Standing.REMOVED:
            rows.append((0, Row((f"**{plain(name)}**",), environment, *_removed(snapshot, each))))
            continue
        if effects is not None and effects.empty and name not in stages:
            quiet.setdefault(environment, []).append(plain(name))
            continue
        stage = stage_words(snapshot, stages[name]) if name in stages else _rule_badge(snapshot, each)
        rank = 0 if effects is None else 1 if effects.destroyed else 2
        rows.append((rank, Row((f"**{plain(name)}**",), environment, _result(snapshot, each, effects), stage)))
    rows.sort(key=lambda pair: pair[0])
    silent = [Row(tuple(names), environment, "no changes", "✅") for environment, names in sorted(quiet.items())]
    return (*(row for _, row in rows), *silent)


def _result(snapshot: Snapshot, each: Affected, effects: EffectSet | None) -> str:
    if effects is not None:
        steps = f", {plural(effects.unpredictable, 'step')} unforeseeable" if effects.unpredictable else ""
        return counted(effects.counts()) + steps
    if denials(snapshot.selection, each.project.name):
        return "not run"
    run = snapshot.plan_of(each.project.name, each.digest)
    if run is not None and run.state is RunState.FAILED:
        return "plan failed"
    return "planning …" if run is not None else "not planned"


def _removed(snapshot: Snapshot, each: Affected) -> tuple[str, str]:
    """What is left of a removed project, and whether that is in the way."""
    badge = _rule_badge(snapshot, each)
    if leftovers.owned(snapshot, each):
        badge = "⛔"
    elif leftovers.uncountable(snapshot, each) and not gate_open(snapshot):
        badge = f"⏸ {plural(max(snapshot.environment(each.project.environment).approvals, 1), 'approval')}"
    return leftovers.result(snapshot, each), badge


def _rule_badge(snapshot: Snapshot, each: Affected) -> str:
    if denials(snapshot.selection, each.project.name):
        return "⛔"
    run = snapshot.plan_of(each.project.name, each.digest)
    if run is None or not run.state.over:
        return "⏳"
    if run.state is RunState.FAILED:
        return "⛔"
    warnings = len(run.plan.warnings) if run.plan else 0
    needed = snapshot.environment(each.project.environment).approvals
    waits = each.project.environment in concerned(snapshot) and needed and not gate_open(snapshot)
    badge = f"⏸ {plural(needed, 'approval')}" if waits else "✅"
    return f"{badge} ⚠ {plural(warnings, 'warning')}" if warnings else badge


# ------------------------------------------------------------------------------------------ details


def _sections(snapshot: Snapshot) -> tuple[Section, ...]:
    sets = planned_sets(snapshot)
    found: list[tuple[int, Section]] = []
    for each in snapshot.selection.affected:
        run = snapshot.plan_of(each.project.name, each.digest)
        effects = sets.get(each.project.name, EffectSet())
        if run is None or not run.state.over or (effects.empty and run.state is not RunState.FAILED):
            continue
        rank = 0 if run.state is RunState.FAILED else 1 if effects.destroyed else 2
        found.append((rank, _section(snapshot, each, run, effects)))
    found.sort(key=lambda pair: pair[0])
    return tuple(section for _, section in found)


def _section(snapshot: Snapshot, each: Affected, run: Run, effects: EffectSet) -> Section:
    tool = plain(f"{each.project.tool} {run.plan.tool_version if run.plan else ''}".strip())
    took = f" · {duration(run.plan.seconds)}" if run.plan else ""
    outcome = "failed" if run.state is RunState.FAILED else _result(snapshot, each, effects)
    because = [f"Affected because {plain_keeping_code('; '.join(each.because[:3]))}"] if each.because else []
    log = [f"[log]({snapshot.link}/runs/{run.id})"] if snapshot.link else []
    notes = [f"<sub>{' · '.join((*because, *log))}</sub>"] if because or log else []
    if run.failure is not None:
        notes += [
            f"⛔ {plain_keeping_code(run.failure.message)}",
            *(f"- {plain(line)}" for line in run.failure.details[:10]),
        ]
    if run.plan is not None:
        notes += [f"⚠ {plain(warning)}" for warning in run.plan.warnings[:10]]
    summary = f"<b>{plain(each.project.name)}</b> · {tool} · {outcome}{took}"
    return Section(each.project.name, summary, effects, tuple(notes), open=run.state is RunState.FAILED)


# --------------------------------------------------------------------------------------------- foot


def _next(snapshot: Snapshot, verdict: Reason) -> str:
    if snapshot.change.state is not ChangeState.OPEN:
        return ""
    if not all_planned(snapshot):
        return "nothing; this comment will say more when the plans are done."
    blockers = verdict.blockers()
    if blockers:
        rest = f" ({len(blockers) - 1} more: `/explain`)" if len(blockers) > 1 else ""
        return f"{_ask(snapshot, blockers[0])}{rest}. Then {_merging(snapshot)}. {_on_merge(snapshot)}".strip()
    return f"{_merging(snapshot)}. {_on_merge(snapshot)}".strip()


def _merging(snapshot: Snapshot) -> str:
    """What is left to do once the gate is open. Where no check can be required, only we may merge."""
    if snapshot.in_line:
        return f"nothing: it is merged when its turn on the {snapshot.line} comes; `/hold` takes it off"
    if snapshot.left_line is not None:
        return f"see what its pipeline there says; `/merge` puts it on the {snapshot.line} again"
    if snapshot.required_by_name or snapshot.rules.mode is not Mode.ENFORCE:
        return "merge, or say `/merge`"
    if snapshot.rules.auto_merge:
        return "Headgate merges by itself; nobody else may"
    return "say `/merge`: nobody but Headgate may merge here"


def _ask(snapshot: Snapshot, reason: Reason) -> str:
    if not reason.rule.startswith("approvals.") or unknown_hands(snapshot):
        return sentence(reason)
    author = plain(snapshot.change.author)
    if not reason.who:
        return f"an approval by somebody with write permission who did not contribute (nobody is known; not {author})"
    return f"one approval by {either([plain(who) for who in reason.who])} (not {author}, who wrote it)"


def _on_merge(snapshot: Snapshot) -> str:
    gone = {each.project.name for each in leftovers.removed(snapshot)}
    names = [name for name, effects in planned_sets(snapshot).items() if not effects.empty and name not in gone]
    if not names or snapshot.rules.mode.value != "enforce":
        return ""
    ordered = [
        name for wave in _waves(snapshot) for name in wave if name in names
    ]  # the order in which they will be deployed
    return f"On merge Headgate deploys {', then '.join(f'**{plain(name)}**' for name in ordered[:6])}" + (
        f" and {len(ordered) - 6} more." if len(ordered) > 6 else "."
    )


def _waves(snapshot: Snapshot) -> tuple[tuple[str, ...], ...]:
    return waves([each.project for each in snapshot.selection.affected], snapshot.environments)


def _footer(snapshot: Snapshot) -> str:
    prints = planned_fingerprints(snapshot)
    short = "".join(sorted(prints.values()))[:4]
    plan = f"Plan `{short}` · " if short else ""
    times = [run.finished_at for run in snapshot.runs if run.finished_at is not None]
    when = f"{clock(max(times), snapshot.now)} · " if times else ""
    link = f"[details, log and history]({snapshot.link}) · " if snapshot.link else ""
    return f"{plan}{when}{link}`/plan` plans again · `/explain` · `/help`"


def _broken(snapshot: Snapshot) -> Face:
    """A configuration with problems, or a branch that does not merge: said before anything else."""
    selection = snapshot.selection
    if selection.problems:
        count = len(selection.problems)
        head = f"⛔ The configuration has {plural(count, 'problem')}, so nothing was planned"
        lines = [
            f"> {code(f'{problem.file}:{problem.line}' if problem.line else problem.file)} "
            f"{code(problem.path) + ': ' if problem.path else ''}{plain_keeping_code(problem.message)}  "
            for problem in selection.problems[:30]
        ]
    else:
        head = f"⛔ This does not merge with {code(snapshot.change.base_ref)}, so nothing was planned"
        lines = [f"> {code(path)}  " for path in selection.conflicts[:30]]
    return Face(
        headline=f"> **{head}**",
        notices=("\n".join(lines),),
        next="push a fix; this comment follows it.",
        footer=_footer(snapshot),
        link=snapshot.link,
    )
