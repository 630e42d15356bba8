"""What the pages show, gathered under the lock as plain values, so that templates only lay out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from bot.forge import merging, pulls
from bot.forge.faces import FACES
from bot.forge.gitstore import CommitInfo, FileChange
from bot.forge.model import Actor, Pull, Repo, ReviewState, Role
from bot.forge.pages.markdown import diff_lines, render
from bot.forge.rules import Check, CheckOutcome, checks_of, may_merge, standing_reviews, who_merges
from bot.forge.rulesets import in_force
from bot.forge.state import State

_LAST = 1 << 62
_REVIEW_WORDS = {
    ReviewState.APPROVED: "approved these changes",
    ReviewState.CHANGES_REQUESTED: "requested changes",
    ReviewState.COMMENTED: "reviewed",
    ReviewState.DISMISSED: "reviewed; this review was dismissed",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing on the timeline of a pull request."""

    kind: str
    who: str
    at: datetime
    words: str
    body: Markup | None = None
    anchor: str = ""
    sha: str = ""
    edited: bool = False
    order: int = 0


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file and its coloured patch."""

    change: FileChange
    patch: Markup


@dataclass(frozen=True, slots=True)
class PullView:
    """A pull request as its page shows it to one viewer."""

    pull: Pull
    status: str
    timeline: list[Entry]
    checks: list[Check]
    checks_words: str
    checks_tone: str
    reviews: list[tuple[str, ReviewState]]
    obstacles: list[str]
    blockers: list[str]
    may_write: bool
    may_edit: bool
    may_bypass: bool
    commits: int
    files: list[ChangedFile]
    protected: bool


def pull_view(state: State, repo: Repo, pull: Pull, viewer: str | None) -> PullView:
    """Everything the page of a pull request shows. Call it under the lock."""
    role = state.role(repo, Actor(viewer)) if viewer else Role.NONE
    rule = in_force(repo, pull.base_ref)
    checks = checks_of(state, repo, pull.head_sha, rule)
    words, tone = _checks_words(checks)
    commits = pulls.pull_commits(state, repo, pull)
    return PullView(
        pull=pull,
        status=status_of(pull),
        timeline=_timeline(state, pull, commits),
        checks=checks,
        checks_words=words,
        checks_tone=tone,
        reviews=[(login, review.state) for login, review in sorted(standing_reviews(pull).items())],
        obstacles=merging.obstacles(state, repo, pull),
        blockers=FACES[state.face].blockers(state, repo, pull) + _not_by_you(state, repo, pull, viewer),
        may_write=role >= Role.WRITE,
        may_edit=viewer == pull.author or role >= Role.TRIAGE,
        may_bypass=viewer is not None and merging.can_bypass(state, repo, Actor(viewer), pull),
        commits=len(commits),
        files=[changed_file(change) for change in pulls.pull_files(state, repo, pull)],
        protected=rule is not None,
    )


def _not_by_you(state: State, repo: Repo, pull: Pull, viewer: str | None) -> list[str]:
    """That others merge here, where that is so."""
    who = who_merges(repo, pull.base_ref)
    if not who or (viewer is not None and may_merge(state, repo, Actor(viewer), pull.base_ref)):
        return []
    return [f"Only {who} may merge into {pull.base_ref}."]


def status_of(pull: Pull) -> str:
    """One word for how a pull request stands."""
    if pull.merged_at is not None:
        return "merged"
    if not pull.open:
        return "closed"
    return "draft" if pull.draft else "open"


def changed_file(change: FileChange) -> ChangedFile:
    """A changed file, ready to show."""
    return ChangedFile(change, Markup(diff_lines(change.patch or "")))  # noqa: S704 - diff_lines escapes


def _timeline(state: State, pull: Pull, commits: list[CommitInfo]) -> list[Entry]:
    names = {account.email: account.login for account in state.accounts.values()}
    entries = [
        Entry(
            "commit",
            names.get(info.author.email, info.author.name),
            info.committer.at,
            info.message.split("\n", 1)[0],
            sha=info.sha,
        )
        for info in commits
    ]
    for review in pull.reviews:
        body = render(review.body) if review.body.strip() else None
        words = _REVIEW_WORDS[review.state]
        kind = f"review {review.state.value.lower()}"
        anchor = f"pullrequestreview-{review.id}"
        entries.append(
            Entry(kind, review.author, review.submitted_at, words, body, anchor, review.commit_id, order=review.id)
        )
    for comment in pull.comments:
        body = render(comment.body)
        edited = comment.editor is not None
        anchor = f"issuecomment-{comment.id}"
        entries.append(
            Entry(
                "comment",
                comment.author,
                comment.created_at,
                "commented",
                body,
                anchor,
                edited=edited,
                order=comment.id,
            )
        )
    if pull.merged_at is not None:
        words = f"merged this into {pull.base_ref}"
        entries.append(
            Entry("merged", pull.merged_by or "", pull.merged_at, words, sha=pull.merge_sha or "", order=_LAST)
        )
    elif pull.closed_at is not None:
        entries.append(Entry("closed", pull.closed_by or "", pull.closed_at, "closed this", order=_LAST))
    return sorted(entries, key=lambda entry: (entry.at, entry.order))


def _checks_words(checks: list[Check]) -> tuple[str, str]:
    outcomes = [check.outcome for check in checks]
    if CheckOutcome.FAILURE in outcomes:
        return "Some checks were not successful", "bad"
    if CheckOutcome.PENDING in outcomes or CheckOutcome.EXPECTED in outcomes:
        return "Some checks haven't completed yet", "wait"
    return ("All checks have passed", "good") if checks else ("No checks have been reported", "none")
