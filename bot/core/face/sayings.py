"""Short extra comments: edits do not notify, so these are new comments, made only when a person must act."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.compare import DifferenceKind, difference
from bot.core.decide.deploying import Position, offered_fingerprint
from bot.core.effectset import EffectSet
from bot.core.face.explain import plain_keeping_code
from bot.core.face.markdown import code, plain
from bot.core.face.words import both, either
from bot.core.model import Review
from bot.core.people import eligible, faces_at
from bot.core.record import InLine, MergeRecord, Request
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason

NAMED = 5
"""New effects named one by one in a short comment; the face has them all."""


def approval_dropped(snapshot: Snapshot, review: Review, current: Mapping[str, Mapping[str, EffectSet]]) -> str:
    """To somebody whose approval no longer counts: what is new since."""
    faces = faces_at(snapshot, review.submitted_at, review.sha)
    news: list[str] = []
    for sets in current.values():
        for project, effects in sets.items():
            shown = snapshot.sets.get(faces[-1].effects.get(project, "")) if faces else None
            news += _news(project, shown or EffectSet(), effects)
    head = snapshot.change.head_sha[:7]
    if not news:
        then = (review.sha or (faces[-1].head if faces else ""))[:7]
        return f"@{review.author}: your approval was for `{then}`; `{head}` was pushed since. Please look again."
    listed = "; ".join(news[:NAMED]) + (f"; and {len(news) - NAMED} more" if len(news) > NAMED else "")
    return f"@{review.author}: your approval no longer counts, because `{head}` now also {listed}. Please look again."


def _news(project: str, shown: EffectSet, now: EffectSet) -> list[str]:
    found = []
    for each in difference(shown, now):
        if each.now is None or each.kind is DifferenceKind.VANISHED:
            continue
        word = {"delete": "destroys", "replace": "replaces", "create": "creates"}.get(
            each.now.action.value, "changes"
        )
        found.append(f"{word} {code(each.address, 120)} in **{plain(project)}**")
    return sorted(found, key=lambda text: not text.startswith(("destroys", "replaces")))


def merge_waits(verdict: Reason, request: Request) -> str:
    """The answer to ``/merge`` while the gate is not open."""
    blockers = verdict.blockers()
    first = blockers[0] if blockers else None
    why = plain_text(first.text) if first else "it is still being looked at"
    who = f" {either([plain(each) for each in first.who])} can change that." if first and first.who else ""
    return (
        f"@{request.author}: not yet: {why}.{who} `headgate/gate` will turn green by itself and, since you asked, "
        "I will merge then. `/hold` stops that."
    )


def line_left(snapshot: Snapshot, line: InLine) -> str:
    """To who asked for the merge: it left the host's line of merges, and nobody puts it there again by himself."""
    who = line.asked_by or snapshot.change.author
    return (
        f"@{who}: this left the {snapshot.line} without being merged: {plain(line.why)}. Nothing of it was deployed. "
        f"When what was in the way is gone, `/merge` puts it on the {snapshot.line} again; a push begins anew."
    )


def plain_text(text: str) -> str:
    """One of our own sentences; its code spans stay."""
    return plain_keeping_code(text)


def deploy_failed(snapshot: Snapshot, position: Position) -> str:
    """A deploy that failed: what was done stays done; what next."""
    run, name = position.run, plain(position.project.name)
    why = plain(run.failure.message) if run and run.failure else "it stopped"
    done = len(run.applied) if run else 0
    stays = f" What was done ({done} so far) stays done and is recorded." if done else ""
    asked = _asked(snapshot)
    return (
        f"{asked}**{name}** failed: {why}.{stays} Next: `/deploy {position.project.name}` tries the rest "
        "(it plans first), or open a fix."
    )


def deploy_differs(snapshot: Snapshot, position: Position) -> str:
    """A deploy that was stopped because it would do something else than what was reviewed."""
    name = position.project.name
    offered = offered_fingerprint(snapshot, name, position.run)
    who = either([f"@{login}" for login in eligible(snapshot)][:6]) or "somebody who did not contribute"
    return (
        f"**{plain(name)}** was not deployed: it would now do something that nobody reviewed. {who} can look at the "
        f"difference above and accept exactly that with `/deploy {name} --accept {offered[:8]}`, or open a fix."
    )


def bypassed(snapshot: Snapshot, merge: MergeRecord) -> str:
    """A merge that went around the gate: nothing was deployed, and the three ways on."""
    names = both([plain(intent.project) for intent in snapshot.intents])
    return (
        f"{_asked(snapshot)}this was merged by {plain(merge.by or 'somebody')} although {plain_text(merge.why_not)}. "
        f"Nothing was deployed ({names}). Three ways on: accept what it does (the comment above has the words), "
        "revert the merge, or open a change that supersedes it."
    )


def _asked(snapshot: Snapshot) -> str:
    """Who should read this: the one who merged, else the author."""
    who = snapshot.change.merged_by or snapshot.change.author
    return f"@{who}: " if who else ""
