"""A snapshot as rules see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from bot.core.decide.planning import planned_sets
from bot.core.effectset import EffectSet
from bot.core.model import Comment, Commit, Review, ReviewState
from bot.core.people import unknown_hands, unseen
from bot.core.policy.facts import CommitFact, Facts, People, ProjectFact, Saying, Word
from bot.core.policy.ground import GitCommit, Ground
from bot.core.project import Affected, Standing
from bot.core.snapshot import Snapshot

NOTHING = GitCommit((), "")


def facts_of(snapshot: Snapshot) -> Facts:
    """Everything that rules may compare with."""
    change, host, ground = snapshot.change, snapshot.host, snapshot.ground or Ground()
    fork = change.from_fork and change.head_repo is not None
    owner = change.head_repo.path.partition("/")[0] + ":" if fork and change.head_repo else ""
    return Facts(
        now=snapshot.now,
        repository=change.ref.repo.path,
        author=change.author,
        author_is_bot=change.author_is_bot,
        bot=snapshot.bot,
        title=change.title,
        target_branch=change.base_ref,
        source_branch=f"{owner}{change.head_ref}",
        head=change.head_sha,
        draft=change.draft,
        labels=change.labels,
        files=ground.files,
        commits=tuple(_commit(snapshot, each) for each in host.commits) if host.complete else None,
        words=tuple(_words(snapshot)),
        checks=host.checks,
        people=People(ground.teams, ground.organisations, {**snapshot.people, **host.permissions}),
        projects=tuple(projects_of(snapshot)),
        owners=ground.owners,
        found=tuple(each for some in snapshot.memory.judged.values() for each in some),
        unknown_hands=unknown_hands(snapshot),
    )


def _commit(snapshot: Snapshot, commit: Commit) -> CommitFact:
    told = (snapshot.ground or Ground()).commits.get(commit.sha, NOTHING)
    pushers = {**snapshot.memory.pushers, **{sha: who for sha, who in snapshot.host.pushers.items() if who}}
    return CommitFact(
        sha=commit.sha,
        parents=told.parents,
        author=commit.author,
        committer=commit.committer,
        via_web=commit.via_web,
        message=told.message,
        pushed_by=pushers.get(commit.sha, ""),
        asked_by=commit.asked_by,
    )


def projects_of(snapshot: Snapshot) -> Iterator[ProjectFact]:
    """Those that would do something, that nobody knows of yet whether they would, and those whose binding changes."""
    sets = planned_sets(snapshot)
    for each in snapshot.selection.affected:
        effects = sets.get(each.project.name)
        if effects is None or not effects.empty or each.standing is Standing.REBOUND:
            yield ProjectFact(each.project.name, _environments(each), each.project.tool, effects)


def _environments(each: Affected) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.environment for one in each.bindings()))


def _words(snapshot: Snapshot) -> Iterator[Word]:
    current = {each.name: each.effects for each in projects_of(snapshot) if each.effects is not None}
    for review in snapshot.host.reviews:
        yield _review(snapshot, review, current)
    for comment in snapshot.host.comments:
        if not comment.ours:
            yield _comment(snapshot, comment, current)
    change = snapshot.change
    if change.body:
        yield Word("description", Saying.DESCRIPTION, change.author, change.created_at, change.body)


def _review(snapshot: Snapshot, review: Review, current: Mapping[str, EffectSet]) -> Word:
    approves = review.state is ReviewState.APPROVED
    return Word(
        id=review.id,
        kind=Saying.REVIEW,
        author=review.author,
        at=review.submitted_at,
        text=review.body,
        state=review.state,
        head=review.sha or _head_at(snapshot, review.submitted_at),
        by_bot=review.by_bot,
        uncovered=unseen(snapshot, review.submitted_at, review.sha, current) if approves else {},
    )


def _head_at(snapshot: Snapshot, at: datetime) -> str:
    """The head that we knew of then; empty when we knew none. Hosts do not say of which commit a comment was written,
    nor all of them of which a review was. What was pushed shortly before and not seen yet takes a word back: that
    asks for one more, and lets nothing through."""
    seen = [sha for sha, since in snapshot.memory.heads if since.replace(microsecond=0) <= at]
    return seen[-1] if seen else ""


def _comment(snapshot: Snapshot, comment: Comment, current: Mapping[str, EffectSet]) -> Word:
    return Word(
        id=comment.id,
        kind=Saying.COMMENT,
        author=comment.author,
        at=comment.created_at,
        text=comment.body,
        edited_at=comment.edited_at,
        head=_head_at(snapshot, comment.created_at),
        by_bot=comment.author.lower().endswith("[bot]"),
        uncovered=unseen(snapshot, comment.created_at, "", current),
    )
