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
    pushers. A commit made by the host's own button has no human committer to exclude."""
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
    if review.author.lower() in helped:
        return "contributed to this change"
    if snapshot.permission_of(review.author) < Permission.WRITE:
        return "has no write permission"
    return ""


NOT_SHOWN = "given before the plan was shown"


def _uncovered(snapshot: Snapshot, review: Review, current: Mapping[str, EffectSet], survive: Survival) -> str:
    """Why the faces that stood when the review was given do not cover what would happen now; empty if they do."""
    faces = faces_before(snapshot, review)
    if not faces:
        return NOT_SHOWN
    for face in faces:
        if survive is Survival.SAME_HEAD and face.head != snapshot.change.head_sha:
            return f"given for `{face.head[:7]}`, which was pushed over"
        for project, effects in current.items():
            shown = snapshot.sets.get(face.effects.get(project, ""))
            if shown is None or not covers(shown, effects):
                return f"the plan of {project} now does something it did not show"
    return ""


def faces_before(snapshot: Snapshot, review: Review) -> tuple[FaceShown, ...]:
    """The faces the reviewer may have had in view.

    Hosts tell times in whole seconds. Whatever was published within the review's second may or may not have
    been seen, so a review must be covered by each of those, and by the one that stood before them.
    """
    second = review.submitted_at.replace(microsecond=0)
    fitting = [
        face
        for face in snapshot.memory.faces
        if face.base_ref == snapshot.change.base_ref and (not review.sha or face.head == review.sha)
    ]
    before = [face for face in fitting if face.at < second]
    within = [face for face in fitting if second <= face.at < second + timedelta(seconds=1)]
    return (*before[-1:], *within)


def eligible(snapshot: Snapshot) -> tuple[str, ...]:
    """Logins who could approve: write permission and no hand in the change; sorted."""
    helped = contributors(snapshot)
    known = {**snapshot.people, **snapshot.host.permissions}
    return tuple(
        sorted(
            login
            for login, permission in known.items()
            if permission >= Permission.WRITE and login not in helped and login != snapshot.bot.lower()
        )
    )
