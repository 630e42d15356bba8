"""Who contributed to a change, whose approval counts, for what, and why another's does not (law 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core.compare import covers
from bot.core.effectset import EffectSet
from bot.core.model import Permission, Review, ReviewState
from bot.core.record import Covered, FaceShown
from bot.core.rules import Survival
from bot.core.snapshot import Snapshot

WEB_COMMITTER = "web-flow"
"""The login GitHub gives commits made by its own web editor and merge buttons."""


def contributors(snapshot: Snapshot) -> frozenset[str]:
    """Lower-cased logins of everybody who had a hand in the change: author, commit authors and committers,
    pushers, and who asked a bot for it. A commit made by the host's own button has no human committer to exclude."""
    return _hands(snapshot) | requesters(snapshot)


def requesters(snapshot: Snapshot) -> frozenset[str]:
    """Lower-cased logins of those who asked a bot for commits of this change: they count as its authors."""
    return frozenset(login.lower() for commit in snapshot.host.commits for login in commit.asked_by)


def made_by_bot(snapshot: Snapshot) -> bool:
    """Whether a bot alone made the change: it opened it, every commit is its own, and nobody else ever pushed.

    A commit or push that the host cannot name somebody for is not the bot's. People who only ask for, review or
    merge such a change stay what they are; who pushes onto its branch contributes like onto any other.
    """
    change, host = snapshot.change, snapshot.host
    bot = change.author.lower()
    whole = host.complete and bool(host.commits) and not unknown_hands(snapshot)
    named = all(commit.committer or commit.via_web for commit in host.commits)
    return change.author_is_bot and whole and named and _hands(snapshot) == {bot}


def author_may_write(snapshot: Snapshot) -> bool:
    """Whether the change's author has write permission in the repository (law 4).

    Hosts tell no permission of an application. But a branch of this repository that only a bot made, it could
    write; so the bot may, unless somebody asked it to who may not.
    """
    change = snapshot.change
    if change.author_is_bot and any(snapshot.permission_of(each) < Permission.WRITE for each in requesters(snapshot)):
        return False
    known = snapshot.permission_of(change.author) >= Permission.WRITE
    return known or (not change.from_fork and made_by_bot(snapshot))


def _hands(snapshot: Snapshot) -> frozenset[str]:
    host = snapshot.host
    logins = {host.change.author}
    for commit in host.commits:
        logins.add(commit.author)
        if not commit.via_web:
            logins.add(commit.committer)
    logins.update(snapshot.memory.pushers.values())
    logins.update(host.pushers.values())
    return frozenset(login.lower() for login in logins if login and login != WEB_COMMITTER)


def unknown_hands(snapshot: Snapshot) -> tuple[str, ...]:
    """What about the contributors the host could not tell, as phrases; each blocks where people must approve."""
    host = snapshot.host
    found = [f"the author of `{commit.sha[:7]}`" for commit in host.commits if not commit.author]
    head = host.change.head_sha
    if not (host.pushers.get(head) or snapshot.memory.pushers.get(head)):
        found.append(f"who pushed `{head[:7]}`")
    return tuple(found[:5])


def latest_reviews(reviews: tuple[Review, ...]) -> tuple[Review, ...]:
    """Each person's word that stands: a later request for changes or a dismissal replaces an approval,
    a plain comment does not."""
    standing: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda each: (each.submitted_at, each.id)):
        if review.state is not ReviewState.COMMENTED and review.author:
            standing[review.author.lower()] = review
    return tuple(standing.values())


def objections(snapshot: Snapshot) -> tuple[Review, ...]:
    """Standing requests for changes by people whose word counts (write permission, not the author)."""
    author = snapshot.change.author.lower()
    return tuple(
        review
        for review in latest_reviews(snapshot.host.reviews)
        if review.state is ReviewState.CHANGES_REQUESTED
        and review.author.lower() != author
        and snapshot.permission_of(review.author) >= Permission.WRITE
    )


@dataclass(frozen=True, slots=True)
class Tally:
    """Approvals that count for an environment, and those that do not, each with the reason why not.

    ``dropped`` are approvals that would count had the effects not changed: their givers are asked again.
    """

    counted: tuple[Covered, ...]
    ignored: tuple[tuple[str, str], ...]
    dropped: tuple[Review, ...]


def tally(
    snapshot: Snapshot, current: Mapping[str, EffectSet], survive: Survival, postdate: datetime | None
) -> Tally:
    """Sort every standing approval. ``current`` are the effect sets (by project) that must be covered;
    ``postdate`` the moment since when something undeployed is inherited, None for nothing inherited."""
    helped = contributors(snapshot)
    counted: list[Covered] = []
    ignored: list[tuple[str, str]] = []
    dropped: list[Review] = []
    for review in latest_reviews(snapshot.host.reviews):
        if review.state is not ReviewState.APPROVED:
            continue
        why = _unqualified(snapshot, review, helped)
        # Hosts tell times in whole seconds. Within that second it counts: what is inherited is in the plan, and a
        # face that did not show it covers nothing.
        if not why and postdate and review.submitted_at < postdate.replace(microsecond=0):
            why = "given before an earlier change left its work undeployed here"
        if not why:
            why = _uncovered(snapshot, review, current, survive)
            if why and why != NOT_SHOWN:
                dropped.append(review)
        if why:
            ignored.append((review.author, why))
        else:
            counted.append(Covered(review.author, review.submitted_at, review.sha))
    return Tally(tuple(counted), tuple(ignored), tuple(dropped))


def _unqualified(snapshot: Snapshot, review: Review, helped: frozenset[str]) -> str:
    if review.by_bot:
        return "is a bot, and people approve"
    if review.author.lower() in requesters(snapshot):
        return "asked a bot for this change, which counts as writing it"
    if review.author.lower() in helped:
        return "contributed to this change"
    if snapshot.permission_of(review.author) < Permission.WRITE:
        return "has no write permission"
    return ""


NOT_SHOWN = "given before the plan was shown"


def _uncovered(snapshot: Snapshot, review: Review, current: Mapping[str, EffectSet], survive: Survival) -> str:
    """Why the faces that stood when the review was given do not cover what would happen now; empty if they do."""
    faces = faces_at(snapshot, review.submitted_at, review.sha)
    if not faces:
        return NOT_SHOWN
    *earlier, newest = faces
    if why := _shows_other(snapshot, newest, current, survive):
        return why
    if any(_shows_other(snapshot, face, current, survive) for face in earlier):
        return "given in the very second in which the comment changed, so nobody can tell for which plan"
    return ""


def _shows_other(snapshot: Snapshot, face: FaceShown, current: Mapping[str, EffectSet], survive: Survival) -> str:
    """What of the present effects this face did not show; empty when it showed them all."""
    if survive is Survival.SAME_HEAD and face.head != snapshot.change.head_sha:
        return f"given for `{face.head[:7]}`, which was pushed over"
    for project, effects in current.items():
        shown = snapshot.sets.get(face.effects.get(project, ""))
        if shown is None or not covers(shown, effects):
            return f"the plan of {project} now does something it did not show"
    return ""


def unseen(snapshot: Snapshot, at: datetime, sha: str, current: Mapping[str, EffectSet]) -> Mapping[str, str]:
    """Of the projects whose effects are given those that were not shown to who spoke then (of ``sha``, where that is
    known), each with why; a push alone takes nothing back here."""
    if not current:
        return {}
    faces = faces_at(snapshot, at, sha)
    if not faces:
        return dict.fromkeys(current, NOT_SHOWN)
    found = {}
    for project, effects in current.items():
        for face in faces:
            if why := _shows_other(snapshot, face, {project: effects}, Survival.SAME_EFFECTS):
                found[project] = why
    return found


def faces_at(snapshot: Snapshot, at: datetime, sha: str) -> tuple[FaceShown, ...]:
    """The faces that whoever spoke then, of that commit if one is given, may have had in view.

    Hosts tell times in whole seconds. Whatever was published within the review's second may or may not have
    been seen, so a review must be covered by each of those, and by the one that stood before them.
    """
    second = at.replace(microsecond=0)
    fitting = [face for face in snapshot.memory.faces if not sha or face.head == sha]
    before = [face for face in fitting if face.at < second]
    within = [face for face in fitting if second <= face.at < second + timedelta(seconds=1)]
    found = (*before[-1:], *within)
    # One of another base branch may be what was seen: the word was for going there then.
    return found if all(face.base_ref == snapshot.change.base_ref for face in found) else ()


def eligible(snapshot: Snapshot) -> tuple[str, ...]:
    """Logins who could approve: write permission and no hand in the change; sorted."""
    bots = {review.author.lower() for review in snapshot.host.reviews if review.by_bot}
    helped = contributors(snapshot) | bots
    known = {**snapshot.people, **snapshot.host.permissions}
    return tuple(
        sorted(
            login
            for login, permission in known.items()
            if permission >= Permission.WRITE and login not in helped and login != snapshot.bot.lower()
        )
    )
