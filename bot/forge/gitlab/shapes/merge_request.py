"""Merge requests and approvals as GitLab's JSON."""

from __future__ import annotations

from dataclasses import dataclass

from bot.forge import approving
from bot.forge.gitlab import standing
from bot.forge.gitlab.shapes.people import Json, basic, group, moment
from bot.forge.gitlab.shapes.report import pipeline
from bot.forge.gitstore import FileChange
from bot.forge.model import Actor, MergeMethod, Pull, Repo, Review, ReviewState
from bot.forge.pipelines import head_pipeline
from bot.forge.pulls import merge_point, pull_files
from bot.forge.rules import may_merge, standing_reviews
from bot.forge.state import State

MOST_FILES = 1000
"""https://docs.gitlab.com/administration/diff_limits/: changed files of a merge request beyond it are not kept."""


def state_word(pull: Pull) -> str:
    """``opened``, ``closed`` or ``merged``."""
    if pull.merged_at is not None:
        return "merged"
    return "opened" if pull.open else "closed"


def title(pull: Pull) -> str:
    """The title; a draft carries the word in front."""
    return f"Draft: {pull.title}" if pull.draft else pull.title


def web_url(state: State, repo: Repo, pull: Pull) -> str:
    """The page of a merge request."""
    return f"{state.root}/{repo.full_name}/-/merge_requests/{pull.number}"


def old_merge_status(pull: Pull, detailed: str) -> str:
    """The deprecated word for the mergeability."""
    if detailed == "checking":
        return "checking"
    return "cannot_be_merged" if pull.conflicted else "can_be_merged"


def source_id(state: State, pull: Pull) -> int | None:
    """The project of the source branch; None when it is gone."""
    source = state.repos.get(pull.head_repo)
    return source.id if source is not None else None


def identified(repo: Repo, pull: Pull) -> Json:
    """What every shape of a merge request begins with."""
    return {
        "id": pull.id,
        "iid": pull.number,
        "project_id": repo.id,
        "title": title(pull),
        "description": pull.body,
        "state": state_word(pull),
        "created_at": moment(pull.created_at),
        "updated_at": moment(pull.updated_at),
    }


def merge_request(state: State, repo: Repo, pull: Pull, counted_read: bool = False) -> Json:
    """A merge request as lists show it."""
    detailed = standing.detailed_merge_status(state, repo, pull, counted_read)
    shape = {
        **identified(repo, pull),
        **_people(state, pull),
        "merged_at": moment(pull.merged_at),
        "closed_at": moment(pull.closed_at) if pull.merged_at is None else None,
        "target_branch": pull.base_ref,
        "source_branch": pull.head_ref,
        "source_project_id": source_id(state, pull),
        "target_project_id": repo.id,
        "user_notes_count": sum(not comment.system for comment in pull.comments),
        "upvotes": sum(award.name == "thumbsup" for award in pull.awards),
        "downvotes": sum(award.name == "thumbsdown" for award in pull.awards),
        "labels": list(pull.labels),
        "draft": pull.draft,
        "work_in_progress": pull.draft,
        "merge_when_pipeline_succeeds": pull.waiting_merge is not None,
        "merge_status": old_merge_status(pull, detailed),
        "detailed_merge_status": detailed,
        "sha": pull.head_sha,
        **landed(pull),
        "discussion_locked": pull.locked or None,
        "should_remove_source_branch": pull.remove_source or None,
        "force_remove_source_branch": pull.remove_source or repo.settings.remove_source,
        "prepared_at": moment(pull.created_at),
        "reference": f"!{pull.number}",
        "references": {
            "short": f"!{pull.number}",
            "relative": f"!{pull.number}",
            "full": f"{repo.full_name}!{pull.number}",
        },
        "web_url": web_url(state, repo, pull),
        "squash": pull.squash,
        "squash_on_merge": pull.squash,
        "has_conflicts": pull.conflicted,
        "blocking_discussions_resolved": not standing.unresolved(pull),
        **_UNUSED,
    }
    if pull.head_repo != repo.full_name:
        shape |= {"allow_collaboration": True, "allow_maintainer_to_push": True}
    return shape


# What GitLab has and this host has not: always the same.
_UNUSED: Json = {
    "imported": False,
    "imported_from": "none",
    "milestone": None,
    "merge_after": None,
    "time_stats": {
        "time_estimate": 0,
        "total_time_spent": 0,
        "human_time_estimate": None,
        "human_total_time_spent": None,
    },
    "task_completion_status": {"count": 0, "completed_count": 0},
    "approvals_before_merge": None,
}


def _people(state: State, pull: Pull) -> Json:
    merger = basic(state, pull.merged_by)
    return {
        "author": basic(state, pull.author),
        "assignees": [basic(state, login) for login in pull.assignees],
        "assignee": basic(state, pull.assignees[0] if pull.assignees else None),
        "reviewers": [basic(state, login) for login in reviewers(pull)],
        "merged_by": merger,
        "merge_user": merger or basic(state, pull.waiting_merge.by if pull.waiting_merge else None),
        "closed_by": basic(state, pull.closed_by) if pull.merged_at is None else None,
    }


def landed(pull: Pull) -> Json:
    """The commits that the merge made, as far as it made any."""
    joined = pull.landed_as is MergeMethod.MERGE or pull.squash_sha not in (None, pull.merge_sha)
    commit = pull.merge_sha if pull.merged_at is not None and joined else None
    return {"merge_commit_sha": commit, "squash_commit_sha": pull.squash_sha}


def reviewers(pull: Pull) -> list[str]:
    """Who was asked for a review, and who has given one."""
    judged = [review.author for review in pull.reviews if review.author != pull.author]
    return list(dict.fromkeys([*judged, *pull.requested_reviewers]))


def merge_request_full(state: State, repo: Repo, pull: Pull, actor: Actor) -> Json:
    """A merge request by itself."""
    head = head_pipeline(state, repo, pull)
    home = repo if head is None or head.id in repo.pipelines else state.repo(pull.head_repo)
    shown = pipeline(state, home, head) if head is not None else None
    base = merge_point(state, repo, pull)
    return merge_request(state, repo, pull, counted_read=True) | {
        "subscribed": actor.login == pull.author,
        "changes_count": shown_files(state, repo, pull).count,
        "latest_build_started_at": None,
        "latest_build_finished_at": None,
        "first_deployed_to_production_at": None,
        "pipeline": shown,
        "head_pipeline": shown,
        "diff_refs": {"base_sha": base, "head_sha": pull.head_sha, "start_sha": base},
        "merge_error": None,
        "first_contribution": False,
        "user": {"can_merge": may_merge(state, repo, actor, pull.base_ref)},
    }


@dataclass(frozen=True, slots=True)
class Files:
    """The changed files as far as the host keeps them for a merge request."""

    shown: list[FileChange]
    more: bool

    @property
    def count(self) -> str:
        """How many, as a text; with a plus sign where there are more."""
        return f"{len(self.shown)}+" if self.more else str(len(self.shown))


def shown_files(state: State, repo: Repo, pull: Pull) -> Files:
    """The changed files; beyond the limit of the instance they are left out."""
    found = pull_files(state, repo, pull)
    return Files(found[:MOST_FILES], len(found) > MOST_FILES)


def versions(state: State, repo: Repo, pull: Pull) -> list[Json]:
    """The one version of the diff that is kept: the present one."""
    base = merge_point(state, repo, pull)
    return [
        {
            "id": pull.id,
            "head_commit_sha": pull.head_sha,
            "base_commit_sha": base,
            "start_commit_sha": base,
            "created_at": moment(pull.updated_at),
            "merge_request_id": pull.id,
            "state": "collected",
            "real_size": shown_files(state, repo, pull).count,
            "patch_id_sha": pull.head_sha,
        }
    ]


def approvals(state: State, repo: Repo, pull: Pull, actor: Actor) -> Json:
    """Who approved, and how many are missing."""
    verdicts = approving.judge(state, repo, pull)
    given = [r for r in standing_reviews(pull).values() if r.state is ReviewState.APPROVED]
    missing = [verdict for verdict in verdicts if verdict.missing]
    detailed = standing.detailed_merge_status(state, repo, pull)
    return {
        **identified(repo, pull),
        "merge_status": old_merge_status(pull, detailed),
        "approved": not missing,
        "approvals_required": max((verdict.rule.needed for verdict in verdicts), default=0),
        "approvals_left": sum(verdict.missing for verdict in verdicts),
        "require_password_to_approve": False,
        "approved_by": [_approval(state, review) for review in given],
        "suggested_approvers": [],
        "approvers": [],
        "approver_groups": [],
        "user_has_approved": actor.login in approving.approvers(pull),
        "user_can_approve": approving.may_approve(state, repo, pull, actor.login),
        "approval_rules_left": [
            {"id": verdict.rule.id, "name": verdict.rule.name, "rule_type": _type(verdict)} for verdict in missing
        ],
        "has_approval_rules": any(_type(verdict) == "regular" for verdict in verdicts),
        "merge_request_approvers_available": True,
        "multiple_approval_rules_available": True,
        "invalid_approvers_rules": [],
    }


def _approval(state: State, review: Review) -> Json:
    return {"user": basic(state, review.author), "approved_at": moment(review.submitted_at)}


def _type(verdict: approving.RuleVerdict) -> str:
    return "regular" if verdict.rule.people or verdict.rule.groups else "any_approver"


def approval_state(state: State, repo: Repo, pull: Pull) -> Json:
    """How every approval rule stands."""

    def show(verdict: approving.RuleVerdict) -> Json:
        named = _type(verdict) == "regular"
        return {
            "id": verdict.rule.id,
            "name": verdict.rule.name,
            "rule_type": _type(verdict),
            "report_type": None,
            "section": None,
            "eligible_approvers": [basic(state, login) for login in verdict.eligible] if named else [],
            "approvals_required": verdict.rule.needed,
            "users": [basic(state, login) for login in sorted(verdict.rule.people)],
            "groups": [group(state, path) for path in sorted(verdict.rule.groups)],
            "contains_hidden_groups": False,
            "overridden": False,
            "source_rule": None,
            "code_owner": False,
            "approved_by": [basic(state, login) for login in verdict.by],
            "approved": verdict.missing == 0,
        }

    verdicts = approving.judge(state, repo, pull)
    return {"approval_rules_overwritten": False, "rules": [show(verdict) for verdict in verdicts]}


def reviewer_states(state: State, pull: Pull) -> list[Json]:
    """What each reviewer has said so far."""
    standing_now = standing_reviews(pull)
    words: dict[ReviewState, str] = {
        ReviewState.APPROVED: "approved",
        ReviewState.CHANGES_REQUESTED: "requested_changes",
    }

    def word(login: str) -> str:
        review = standing_now.get(login)
        if review is not None:
            return words[review.state]
        return "reviewed" if any(r.author == login for r in pull.reviews) else "unreviewed"

    made = moment(pull.created_at)
    return [{"user": basic(state, w), "state": word(w), "created_at": made} for w in reviewers(pull)]
