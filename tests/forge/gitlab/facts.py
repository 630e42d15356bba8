"""What GitLab's documentation says that payloads and answers hold: names and kinds, as facts.

Kinds: ``i`` whole number, ``s`` text, ``b`` yes or no, ``o`` object, ``a`` list, ``n`` number; ``?``: may be null.
A dotted name looks inside an object; ``[]`` inside every entry of a list.
Payloads: https://docs.gitlab.com/user/project/integrations/webhook_events/
Answers: https://docs.gitlab.com/api/ and there the page that each table names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "i": (int,),
    "s": (str,),
    "b": (bool,),
    "o": (dict,),
    "a": (list,),
    "n": (int, float),
}


def _under(prefix: str, words: str) -> str:
    return " ".join(f"{prefix}.{word}" for word in words.split())


_PROJECT = (
    "id:i name:s description:s? web_url:s avatar_url:s? git_ssh_url:s git_http_url:s namespace:s visibility_level:i"
    " path_with_namespace:s default_branch:s homepage:s url:s ssh_url:s http_url:s"
)
_USER = "id:i name:s username:s avatar_url:s? email:s"
_REPOSITORY = "name:s url:s description:s? homepage:s"
_COMMIT = "id:s message:s timestamp:s url:s author:o author.name:s author.email:s"
_LABEL = "id:i title:s color:s project_id:i? created_at:s updated_at:s template:b description:s? type:s group_id:i?"
_MERGE_REQUEST = (
    "id:i iid:i target_branch:s source_branch:s source_project_id:i author_id:i assignee_id:i? title:s created_at:s"
    " updated_at:s milestone_id:i? state:s merge_status:s target_project_id:i description:s source:o target:o"
    " last_commit:o work_in_progress:b draft:b detailed_merge_status:s labels:a "
    + _under("source", _PROJECT)
    + " "
    + _under("target", _PROJECT)
    + " "
    + _under("last_commit", _COMMIT)
    + " "
    + _under("labels[]", _LABEL)
)
_HEAD = "object_kind:s user:o project:o " + _under("user", _USER) + " " + _under("project", _PROJECT)
_PUSH = (
    "object_kind:s event_name:s before:s after:s ref:s ref_protected:b checkout_sha:s? user_id:i user_name:s"
    " user_username:s user_email:s user_avatar:s project_id:i project:o repository:o commits:a total_commits_count:i "
    + _under("project", _PROJECT)
    + " "
    + _under("repository", _REPOSITORY + " git_http_url:s git_ssh_url:s visibility_level:i")
    + " "
    + _under("commits[]", _COMMIT + " title:s added:a modified:a removed:a")
)

PAYLOADS = {
    "Push Hook": _PUSH,
    "Tag Push Hook": _PUSH,
    "Merge Request Hook": _HEAD
    + " event_type:s repository:o object_attributes:o labels:a changes:o assignees:a reviewers:a "
    + _under("repository", _REPOSITORY)
    + " "
    + _under(
        "object_attributes",
        _MERGE_REQUEST
        + " assignee_ids:a reviewer_ids:a last_edited_at:s? last_edited_by_id:i? state_id:i action:s url:s"
        + " blocking_discussions_resolved:b first_contribution:b prepared_at:s total_time_spent:i time_change:i"
        + " human_total_time_spent:s? human_time_change:s? human_time_estimate:s?",
    ),
    "Note Hook": _HEAD
    + " event_type:s project_id:i repository:o object_attributes:o merge_request:o "
    + _under(
        "object_attributes",
        "id:i note:s noteable_type:s author_id:i created_at:s updated_at:s project_id:i attachment:s? line_code:s?"
        " commit_id:s noteable_id:i system:b st_diff:o? action:s url:s",
    )
    + " "
    + _under("merge_request", _MERGE_REQUEST),
    "Pipeline Hook": _HEAD
    + " object_attributes:o merge_request:o? commit:o builds:a "
    + _under(
        "object_attributes",
        "id:i iid:i name:s? ref:s tag:b sha:s before_sha:s source:s status:s stages:a created_at:s finished_at:s?"
        " duration:i? variables:a url:s",
    )
    + " "
    + _under("commit", _COMMIT)
    + " "
    + _under(
        "builds[]",
        "id:i stage:s name:s status:s created_at:s started_at:s? finished_at:s? duration:n? queued_duration:n?"
        " failure_reason:s? when:s? manual:b allow_failure:b user:o runner:o? artifacts_file:o environment:o?",
    ),
    "Deployment Hook": _HEAD
    + " status:s status_changed_at:s deployment_id:i deployable_id:i? deployable_url:s? environment:s"
    + " environment_tier:s environment_slug:s environment_external_url:s? short_sha:s user_url:s commit_url:s"
    + " commit_title:s ref:s",
    "Emoji Hook": _HEAD
    + " event_type:s project_id:i object_attributes:o merge_request:o "
    + _under(
        "object_attributes",
        "user_id:i created_at:s id:i name:s awardable_type:s awardable_id:i updated_at:s action:s awarded_on_url:s",
    ),
}

_BASIC = "id:i username:s name:s state:s avatar_url:s? web_url:s"
_ONE = (  # merge_requests
    "id:i iid:i project_id:i title:s description:s state:s created_at:s updated_at:s merged_by:o? merge_user:o?"
    " merged_at:s? closed_by:o? closed_at:s? target_branch:s source_branch:s user_notes_count:i upvotes:i downvotes:i"
    " author:o assignees:a assignee:o? reviewers:a source_project_id:i? target_project_id:i labels:a draft:b"
    " work_in_progress:b milestone:o? merge_when_pipeline_succeeds:b merge_status:s detailed_merge_status:s sha:s"
    " merge_commit_sha:s? squash_commit_sha:s? discussion_locked:b? should_remove_source_branch:b?"
    " force_remove_source_branch:b reference:s references:o references.short:s references.relative:s"
    " references.full:s web_url:s time_stats:o squash:b task_completion_status:o has_conflicts:b"
    " blocking_discussions_resolved:b prepared_at:s " + _under("author", _BASIC)
)
_FULL = _ONE + (
    " subscribed:b changes_count:s pipeline:o? head_pipeline:o? diff_refs:o diff_refs.base_sha:s"
    " diff_refs.head_sha:s diff_refs.start_sha:s merge_error:s? user:o user.can_merge:b first_contribution:b"
)
_DIFF = "diff:s new_path:s old_path:s a_mode:s b_mode:s new_file:b renamed_file:b deleted_file:b"
_NOTE = (  # notes
    "id:i type:s? body:s author:o created_at:s updated_at:s system:b noteable_id:i noteable_type:s project_id:i"
    " resolvable:b confidential:b internal:b noteable_iid:i " + _under("author", _BASIC)
)
_APPROVALS = (  # merge_request_approvals
    "id:i iid:i project_id:i title:s description:s state:s created_at:s updated_at:s merge_status:s approved:b"
    " approvals_required:i approvals_left:i approved_by:a user_has_approved:b user_can_approve:b"
    " approval_rules_left:a approved_by[].user:o approved_by[].approved_at:s"
)
_STATUS = (  # commits
    "id:i sha:s ref:s? status:s name:s target_url:s? description:s? created_at:s started_at:s? finished_at:s?"
    " allow_failure:b coverage:n? author:o? pipeline_id:i? "
)
_PIPELINE = "id:i iid:i project_id:i sha:s ref:s status:s source:s created_at:s updated_at:s web_url:s"
_HOOK = (  # project_webhooks
    "id:i url:s project_id:i push_events:b push_events_branch_filter:s issues_events:b confidential_issues_events:b"
    " merge_requests_events:b tag_push_events:b note_events:b confidential_note_events:b job_events:b"
    " pipeline_events:b wiki_page_events:b deployment_events:b releases_events:b enable_ssl_verification:b"
    " repository_update_events:b alert_status:s disabled_until:s? url_variables:a created_at:s"
    " resource_access_token_events:b custom_webhook_template:s? custom_headers:a"
)
_PROTECTED = (  # protected_branches
    "id:i name:s push_access_levels:a merge_access_levels:a allow_force_push:b unprotect_access_levels:a"
    " code_owner_approval_required:b push_access_levels[].id:i push_access_levels[].access_level:i"
    " push_access_levels[].access_level_description:s push_access_levels[].user_id:i?"
    " push_access_levels[].group_id:i?"
)
_ENVIRONMENT = "id:i name:s slug:s external_url:s? created_at:s updated_at:s"
_DEPLOYMENT = (  # deployments
    "id:i iid:i ref:s sha:s created_at:s updated_at:s user:o environment:o deployable:o? status:s "
    + _under("environment", "id:i name:s external_url:s?")
)
_MEMBER = _BASIC + " access_level:i created_at:s expires_at:s? membership_state:s"  # members
_COMMIT_SHOWN = (  # commits
    "id:s short_id:s title:s author_name:s author_email:s authored_date:s committer_name:s committer_email:s"
    " committed_date:s created_at:s message:s parent_ids:a web_url:s"
)
_CAR = (  # merge_trains
    "id:i merge_request:o merge_request.iid:i merge_request.state:s merge_request.web_url:s user:o user.username:s"
    " pipeline:o? created_at:s updated_at:s target_branch:s status:s merged_at:s? duration:i?"
)
_P, _M = r"projects/[^/]+", r"projects/[^/]+/merge_requests/\d+"
ANSWERS = [
    (rf"(?:(?:{_P}|groups/[^/]+)/)?merge_requests", "[]", _ONE),
    (rf"{_M}(?:/changes|/merge)?", "", _FULL),
    (rf"{_M}/changes", "changes[]", _DIFF),
    (rf"{_M}/diffs", "[]", _DIFF),
    (rf"{_M}/commits", "[]", _COMMIT_SHOWN),
    (rf"{_M}/notes(?:/\d+)?", "[]", _NOTE),
    (rf"{_M}/(?:approvals|approve|unapprove)", "", _APPROVALS),
    (rf"{_M}/approval_state", "", "approval_rules_overwritten:b rules:a rules[].id:i rules[].approved:b"),
    (rf"{_M}/discussions(?:/\w+)?", "[]", "id:s individual_note:b notes:a " + _under("notes[]", _NOTE)),
    (rf"{_M}(?:/notes/\d+)?/award_emoji", "[]", "id:i name:s user:o created_at:s updated_at:s awardable_id:i"),
    (rf"{_P}/statuses/\w+|{_P}/repository/commits/\w+/statuses", "[]", _STATUS),
    (rf"{_P}/pipelines(?:/\d+)?|{_M}/pipelines", "[]", _PIPELINE),
    (rf"{_P}/merge_trains(?:/[^/]+)?|{_P}/merge_trains/merge_requests/\d+", "[]", _CAR),
    (rf"{_P}/hooks(?:/\d+)?", "[]", _HOOK),
    (rf"{_P}/protected_branches(?:/[^/]+)?", "[]", _PROTECTED),
    (rf"{_P}/environments(?:/\d+)?", "[]", _ENVIRONMENT + " state:s tier:s last_deployment:o?"),
    (rf"{_P}/deployments(?:/\d+)?", "[]", _DEPLOYMENT),
    (r"(?:projects|groups)/[^/]+/members(?:/all)?(?:/\d+)?", "[]", _MEMBER),
    (r"user", "", _BASIC + " email:s created_at:s bot:b"),
    (rf"{_P}/repository/commits(?:/\w+)?", "[]", _COMMIT_SHOWN),
    (rf"{_P}/repository/files/[^/]+", "", "file_name:s file_path:s size:i encoding:s content:s ref:s blob_id:s"),
    (rf"{_P}/repository/tree", "[]", "id:s name:s type:s path:s mode:s"),
    (
        rf"{_P}/repository/branches(?:/[^/]+)?",
        "[]",
        "name:s merged:b protected:b default:b developers_can_push:b developers_can_merge:b can_push:b web_url:s"
        " commit:o",
    ),
    (
        _P,
        "",
        "id:i name:s path_with_namespace:s default_branch:s visibility:s http_url_to_repo:s web_url:s namespace:o"
        " merge_method:s squash_option:s only_allow_merge_if_pipeline_succeeds:b permissions:o shared_with_groups:a"
        " only_allow_merge_if_all_discussions_are_resolved:b remove_source_branch_after_merge:b",
    ),
    (r"groups/[^/]+", "", "id:i name:s path:s full_name:s full_path:s parent_id:i? web_url:s visibility:s"),
]


def wrong_payload(event: str, payload: dict[str, Any]) -> list[str]:
    """What is not as documented about a payload."""
    if event not in PAYLOADS:
        return [f"{event}: no such event is documented"]
    return [f"{event}: {problem}" for problem in _wrong(payload, PAYLOADS[event])]


def wrong_answer(path: str, body: Any) -> list[str] | None:
    """What is not as documented about an answer; None where no table covers the path."""
    rows = [(where, words) for pattern, where, words in ANSWERS if re.fullmatch(pattern, path)]
    problems: list[str] = []
    for where, words in rows:
        for one in _at(body, where if isinstance(body, list) or where != "[]" else ""):
            problems += [f"{path}: {problem}" for problem in _wrong(one, words)]
    return problems if rows else None


def _wrong(value: Any, words: str) -> Iterator[str]:
    for word in words.split():
        name, _, kind = word.rpartition(":")
        inside, _, last = name.rpartition(".")
        for holder in _at(value, inside):
            if not isinstance(holder, dict) or last not in holder:
                yield f"{name} is missing"
            elif not _is(holder[last], kind):
                yield f"{name} is {holder[last]!r}, not {kind}"


def _at(value: Any, path: str) -> list[Any]:
    found = [value]
    for part in path.split(".") if path else []:
        many = part.endswith("[]")
        key = part.removesuffix("[]")
        found = [one.get(key) if key and isinstance(one, dict) else one for one in found]
        found = [entry for one in found for entry in (one or [])] if many else found
    return [one for one in found if one is not None]


def _is(value: Any, kind: str) -> bool:
    if value is None:
        return kind.endswith("?")
    wanted = _KINDS[kind.removesuffix("?")]
    return isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))
