"""How a merge request stands: what GitLab's own rules hold against its merge, in its words."""

from __future__ import annotations

from bot.forge import approving
from bot.forge.external_checks import all_passed
from bot.forge.merging import obstacles
from bot.forge.model import MergeMethod, Pull, Repo, ReviewState
from bot.forge.pipelines import head_pipeline, statuses_of, word_of
from bot.forge.rules import standing_reviews
from bot.forge.state import State


def pipeline_word(state: State, repo: Repo, pull: Pull) -> str | None:
    """What the head's pipeline comes to; None without one."""
    pipeline = head_pipeline(state, repo, pull)
    if pipeline is None:
        return None
    home = repo if pipeline.id in repo.pipelines else state.repo(pull.head_repo)
    return word_of(statuses_of(home, pipeline))


def unresolved(pull: Pull) -> bool:
    """Whether a thread still waits for somebody to resolve it."""
    return any(comment.resolvable and comment.resolved_by is None for comment in pull.comments)


def detailed_merge_status(state: State, repo: Repo, pull: Pull, counted_read: bool = False) -> str:
    """The first thing that stands against the merge, in the order of GitLab's checks, else ``mergeable``."""
    if pull.open and pull.null_reads > 0:
        pull.null_reads -= counted_read
        return "checking"
    found = reasons(state, repo, pull)
    return found[0] if found else "mergeable"


def reasons(state: State, repo: Repo, pull: Pull) -> list[str]:
    """Everything that stands against the merge, in the order of GitLab's checks."""
    if not pull.open:
        return ["not_open"]
    obstacles(state, repo, pull)  # brings the mergeability up to date
    settings = repo.settings
    found = ["draft_status"] if pull.draft else []
    if settings.threads_must_be_resolved and unresolved(pull):
        found.append("discussions_not_resolved")
    if any(review.state is ReviewState.CHANGES_REQUESTED for review in standing_reviews(pull).values()):
        found.append("requested_changes")
    if not approving.approved(state, repo, pull):
        found.append("not_approved")
    if settings.external_checks_must_pass and state.paid and not all_passed(state, repo, pull):
        found.append("status_checks_must_pass")
    if settings.pipeline_must_succeed:
        word = pipeline_word(state, repo, pull)
        if word in ("created", "pending", "running"):
            found.append("ci_still_running")
        elif word != "success" and not (word == "skipped" and settings.skipped_will_do):
            found.append("ci_must_pass")
    if pull.conflicted:
        found.append("conflict")
    elif (settings.up_to_date or settings.method is MergeMethod.FAST_FORWARD) and behind(state, repo, pull):
        found.append("need_rebase")
    return found


def behind(state: State, repo: Repo, pull: Pull) -> bool:
    """Whether the target branch has moved on without the source branch."""
    git = state.git(repo)
    base = f"refs/heads/{pull.base_ref}"
    tip = git.refs(base).get(base)
    return tip is not None and not git.is_ancestor(tip, pull.head_sha)


def merge_blockers(state: State, repo: Repo, pull: Pull) -> list[str]:
    """Why GitLab's rules forbid this merge, in words for people; empty when they do not."""
    return [_WORDS[reason] for reason in reasons(state, repo, pull) if reason in _WORDS]


CURABLE = frozenset(
    (
        "draft_status",
        "discussions_not_resolved",
        "requested_changes",
        "not_approved",
        "status_checks_must_pass",
        "ci_still_running",
        "ci_must_pass",
    )
)
"""What an auto-merge waits for."""

_WORDS = {
    "discussions_not_resolved": "Unresolved discussions must be resolved.",
    "requested_changes": "Changes were requested.",
    "not_approved": "All required approvals must be given.",
    "status_checks_must_pass": "All status checks must pass.",
    "ci_still_running": "Pipeline must succeed: it is still running.",
    "ci_must_pass": "Pipeline must succeed.",
    "need_rebase": "The source branch must be rebased onto the target branch.",
}
