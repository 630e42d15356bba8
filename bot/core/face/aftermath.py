"""What the comment says after the merge: deploying, deployed, stopped, failed, bypassed; and the next step."""

from __future__ import annotations

from typing import assert_never

from bot.core.compare import Difference, difference
from bot.core.decide.deploying import Position, Stage, acceptances_needed, offered_fingerprint, positions
from bot.core.effectset import EffectSet
from bot.core.face.effects import Detail, blocks
from bot.core.face.explain import plain_keeping_code
from bot.core.face.markdown import block, code, plain
from bot.core.face.words import both, clock, either
from bot.core.people import eligible
from bot.core.record import Judgement, MergeRecord
from bot.core.runs import Verification
from bot.core.snapshot import Snapshot

MOST_LINES = 60
"""Lines of a difference shown in the comment; the page has all of them."""


def merged_headline(snapshot: Snapshot) -> str:
    """The one sentence that says where the merged change stands."""
    merge, found = snapshot.memory.merge, positions(snapshot)
    stages = {position.stage for position in found}
    if merge is not None and not merge.admitted and Stage.BYPASSED in stages:
        return f"✋ Merged past the gate, so nothing is deployed: {plain_keeping_code(merge.why_not)}"
    if not found:
        return "✅ Merged; nothing had to be deployed"
    for stage, words in (
        (Stage.DIFFERS, "✋ Not deployed: {names} would now do something that nobody reviewed"),
        (Stage.FAILED, "❌ {names} failed"),
        (Stage.SUSPECT, "⚠ Nobody knows whether the deploy of {names} still runs"),
        (Stage.ACTIVE, "🚀 Deploying {names}"),
        (Stage.COMMAND, "⏸ Merged; {names} waits for `/deploy`"),
        (Stage.WAITING, "⏳ Merged; {names} waits"),
    ):
        names = [plain(position.project.name) for position in found if position.stage is stage]
        if names:
            return words.format(names=both(names))
    if stages == {Stage.SUPERSEDED}:
        return "Superseded: a newer commit is deployed"
    merger = f" ({plain(_who_merged(snapshot, merge))}, {clock(merge.at, snapshot.now)})" if merge else ""
    return f"✅ Deployed by merge of {code(snapshot.change.head_sha[:7])}{merger}"


def _who_merged(snapshot: Snapshot, merge: MergeRecord) -> str:
    """Who merged it; or, where we did, who asked us to."""
    asked = snapshot.merges_asked(Judgement.DONE)
    return asked[-1].author if asked and merge.by.lower() == snapshot.bot.lower() else merge.by


def stage_words(snapshot: Snapshot, position: Position) -> str:
    """A table cell: where this project's deploy stands, with its time."""
    run = position.run
    at = f" {clock(run.finished_at, snapshot.now)}" if run and run.finished_at else ""
    match position.stage:
        case Stage.DONE:
            accepted = (
                f", accepted by {both([plain(who) for who in run.accepted_by])}" if run and run.accepted_by else ""
            )
            return f"✅ deployed{at}{_verified(position)}{accepted}"
        case Stage.SUPERSEDED:
            return "superseded by a newer commit"
        case Stage.ACTIVE:
            return "🚀 deploying"
        case Stage.SUSPECT:
            return "⚠ nobody knows"
        case Stage.DIFFERS:
            return f"✋ stopped{at}"
        case Stage.FAILED:
            return f"❌ failed{at}"
        case Stage.BYPASSED:
            return "✋ not reviewed"
        case Stage.COMMAND:
            return "⏸ waits for `/deploy`"
        case Stage.WAITING:
            return f"⏳ waits for {plain_keeping_code(position.waits_for)}"
        case _:
            assert_never(position.stage)


def _verified(position: Position) -> str:
    match position.run.verification if position.run else None:
        case Verification.VERIFIED:
            return ", verified"
        case Verification.NOT_CONVERGENT:
            return ", ⚠ would still change something"
        case _:
            return ""


def merged_notices(snapshot: Snapshot) -> tuple[str, ...]:
    """One notice per project that stands in the way, with its difference or its error and the way out."""
    found: list[str] = []
    for position in positions(snapshot):
        match position.stage:
            case Stage.DIFFERS:
                found.append(_differs(snapshot, position))
            case Stage.FAILED:
                found.append(_failed(position))
            case Stage.SUSPECT:
                found.append(_suspect(snapshot, position))
            case Stage.BYPASSED:
                found.append(_bypassed(snapshot, position))
            case _:
                pass
    if snapshot.paused:
        found.append(f"> ⏸ Deploys are paused: {plain(snapshot.paused)}. They go on by themselves when resumed.")
    return tuple(found)


def _differs(snapshot: Snapshot, position: Position) -> str:
    run, name = position.run, position.project.name
    reviewed = snapshot.sets.get(run.reviewed, EffectSet()) if run else EffectSet()
    now = snapshot.sets.get(run.plan.fingerprint, EffectSet()) if run and run.plan else EffectSet()
    lines = _difference_lines(difference(reviewed, now))
    offered = offered_fingerprint(snapshot, name, run)
    return (
        f"**{plain(name)}**: what was reviewed, and what it would do now:\n\n{block(lines)}\n\n"
        f"{_who_accepts(snapshot, name)} can accept exactly this with "
        f"{code(f'/deploy {name} --accept {offered[:8]}')}, or open a fix."
    )


def _difference_lines(differences: tuple[Difference, ...]) -> list[str]:
    lines: list[str] = []
    for each in differences:
        if each.reviewed is None and each.now is None:
            lines.append("  now:      more steps that cannot be predicted")
            continue
        for label, effect in (("reviewed:", each.reviewed), ("now:     ", each.now)):
            if effect is None:
                lines.append(f"  {label} nothing at {each.address}")
                continue
            (shown,) = blocks(EffectSet((effect,)), Detail.FULL)
            lines.append(f"  {label} {shown[0].strip()}")
            lines += [f"    {line}" if not line.startswith(("+ ", "- ")) else line for line in shown[1:]]
    if len(lines) > MOST_LINES:
        return [*lines[:MOST_LINES], f"  … {len(lines) - MOST_LINES} more lines on the page"]
    return lines


def _who_accepts(snapshot: Snapshot, project: str) -> str:
    people = either([plain(login) for login in eligible(snapshot)]) or "Somebody with write permission"
    needed = acceptances_needed(snapshot, project)
    author = plain(snapshot.change.author)
    return f"{people} (not {author}){f', {needed} of them,' if needed > 1 else ''}"


def _failed(position: Position) -> str:
    run, name = position.run, position.project.name
    done = len(run.applied) if run else 0
    why = plain(run.failure.message, 600) if run and run.failure else "its process died more than once"
    details = "".join(f"\n> - {plain(line)}" for line in (run.failure.details[:8] if run and run.failure else ()))
    stays = (
        f" What was done ({done}) stays done and is recorded." if done else " Nothing was changed before it failed."
    )
    return (
        f"> ❌ **{plain(name)}**: {why}.{stays}{details}\n>\n"
        f"> Next: {code(f'/deploy {name}')} tries the rest (plans first), or open a fix."
    )


def _suspect(snapshot: Snapshot, position: Position) -> str:
    run = position.run
    holder = plain(str(run.holder)) if run and run.holder else "somebody"
    since = clock(run.lease_until, snapshot.now) if run and run.lease_until else "a while"
    return (
        f"> ⚠ **{plain(position.project.name)}**: {code(holder)} stopped reporting at {since}. Its lock stays "
        "until it is proven dead; then Headgate reads back what was done and goes on. "
        "If you know that it is gone: `/unlock`."
    )


def _bypassed(snapshot: Snapshot, position: Position) -> str:
    name = position.project.name
    offered = offered_fingerprint(snapshot, name, position.run)
    if not offered:
        return f"> ⏳ **{plain(name)}** is being planned, to show what this merge would do."
    return (
        f"> ✋ **{plain(name)}**: {_who_accepts(snapshot, name)} can accept it with "
        f"{code(f'/deploy {name} --accept {offered[:8]}')}; or revert the merge, or supersede it with a new change."
    )


def merged_next(snapshot: Snapshot) -> str:
    """The next step after the merge; empty when everything is done."""
    found = positions(snapshot)
    waiting = [position for position in found if position.stage is Stage.COMMAND]
    if waiting:
        names = " ".join(position.project.name for position in waiting)
        return f"{code(f'/deploy {names}')} when you are ready."
    stopped = [position for position in found if position.stage in (Stage.DIFFERS, Stage.FAILED, Stage.BYPASSED)]
    blocked = [position for position in found if position.stage is Stage.WAITING]
    if stopped and blocked:
        return f"{both([plain(each.project.name) for each in blocked])} waits for what is stopped above."
    if stopped:
        return "see above; nothing else waits for it."
    return ""
