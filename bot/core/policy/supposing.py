"""What if: a snapshot in which people had approved, or said nothing, or it went elsewhere, or were later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from bot.core.model import Review, ReviewState
from bot.core.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Supposed:
    """What is supposed. Approvals are given at that moment, of the present head, by people who saw the comment."""

    approve: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    base: str = ""
    at: datetime | None = None


def supposing(snapshot: Snapshot, supposed: Supposed) -> Snapshot:
    """The snapshot as it would be; nothing of it is true, and nothing may be written by it."""
    host, now = snapshot.host, supposed.at or snapshot.now
    gone = {login.lower() for login in supposed.without}
    reviews = tuple(each for each in host.reviews if each.author.lower() not in gone)
    comments = tuple(each for each in host.comments if each.author.lower() not in gone)
    given = tuple(
        Review(f"supposed-{login}", login, ReviewState.APPROVED, host.change.head_sha, snapshot.now)
        for login in supposed.approve
    )
    change = replace(host.change, base_ref=supposed.base) if supposed.base else host.change
    facts = replace(host, change=change, reviews=(*reviews, *given), comments=comments)
    faces = snapshot.memory.faces
    if supposed.base:
        faces = tuple(replace(face, base_ref=supposed.base) for face in faces)
    return replace(snapshot, now=now, memory=replace(snapshot.memory, host=facts, faces=faces))
