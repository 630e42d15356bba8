"""GitLab's JSON as our values. Whatever is missing or odd becomes a harmless default, never an exception."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from bot.core.model import (
    Change,
    ChangeRef,
    ChangeState,
    CheckState,
    Comment,
    Commit,
    HostCheck,
    HostHold,
    LeftLine,
    Mergeable,
    Permission,
    RepoRef,
    Review,
    ReviewState,
)
from bot.hosts import fields
from bot.hosts.fields import EPOCH, is_ours, some

STATES: Final[Mapping[str, ChangeState]] = {
    "opened": ChangeState.OPEN,
    "locked": ChangeState.OPEN,
    "closed": ChangeState.CLOSED,
    "merged": ChangeState.MERGED,
}
"""A locked one is being merged at this moment."""

CHECKS: Final[Mapping[str, CheckState]] = {
    "success": CheckState.SUCCESS,
    "failed": CheckState.FAILURE,
    "canceled": CheckState.FAILURE,
    "skipped": CheckState.NEUTRAL,
}

COMPUTING: Final = frozenset({"", "checking", "unchecked", "preparing", "approvals_syncing"})
CONFLICTS: Final = frozenset({"conflict", "broken_status", "need_rebase", "commits_status"})
"""Of https://docs.gitlab.com/api/merge_requests/#merge-status; other words name rules, not conflicts."""

WAITS: Final[Mapping[str, HostHold]] = {
    "discussions_not_resolved": HostHold("GitLab wants every thread resolved", "resolve the open threads"),
    "not_approved": HostHold("GitLab's own approval rules are not met", "approve on the host"),
    "merge_request_blocked": HostHold("It waits for another merge request", "merge that one first"),
    "jira_association_missing": HostHold("GitLab wants a Jira issue named", "name it in the title or description"),
    "security_policy_violations": HostHold(
        "GitLab's security policies are not met", "see the merge request's security policy section"
    ),
    "locked_paths": HostHold("It changes paths that somebody locked", "have them unlocked on the host"),
    "locked_lfs_files": HostHold("It changes LFS files that somebody locked", "have them unlocked on the host"),
    "title_regex": HostHold("GitLab's rule for titles is not met", "change the title"),
    "merge_time": HostHold("It is not to be merged yet", "wait for the time set in its description"),
}
"""Words for rules of the project's own. Not there: what our gate judges itself (drafts, requests for changes,
conflicts), and checks, which may be ours: a gate that waits for its own status never opens."""

APPROVED: Final = "approved this merge request"
REQUESTED: Final = "requested changes"
BOT: Final = re.compile(r"(project|group)_\d+_bot(_[0-9a-f]+)?|service_account_.+|ghost")
"""Accounts of access tokens and services, by the names GitLab gives them."""


_OFF: Final = re.compile(
    r"(?:removed this merge request from the merge train|(?:aborted|cancelled|canceled) automatic add to merge train)"
    r"(?: because (?P<why>.*))?",
    re.DOTALL,
)
"""https://docs.gitlab.com/ci/pipelines/merge_trains/#merge-request-dropped-from-the-merge-train"""


def moment(text: object) -> datetime | None:
    """``2026-01-02T03:04:05.678Z``, or as older webhooks say it: ``2026-01-02 03:04:05 UTC``."""
    return fields.moment(text.removesuffix(" UTC") if isinstance(text, str) else text)


def username(account: object) -> str:
    """An account's name; empty for one that is not there."""
    return str(some(account).get("username") or "")


def is_bot(name: str) -> bool:
    """Whether an account is no person's."""
    return BOT.fullmatch(name) is not None


def change(ref: ChangeRef, data: Mapping[str, Any], head_repo: RepoRef | None) -> Change:
    """``GET /projects/:id/merge_requests/:iid``."""
    author, state = username(data.get("author")), STATES.get(str(data.get("state")), ChangeState.CLOSED)
    merged, diff = state is ChangeState.MERGED, some(data.get("diff_refs"))
    labels = data.get("labels") if isinstance(data.get("labels"), list) else []
    return Change(
        ref=ref,
        title=str(data.get("title") or "")[:500],
        author=author,
        state=state,
        head_sha=str(data.get("sha") or ""),
        head_ref=str(data.get("source_branch") or ""),
        head_repo=head_repo,
        base_ref=str(data.get("target_branch") or ""),
        base_sha=str(diff.get("start_sha") or diff.get("base_sha") or ""),
        created_at=moment(data.get("created_at")) or EPOCH,
        updated_at=moment(data.get("updated_at")) or EPOCH,
        url=str(data.get("web_url") or ""),
        body=str(data.get("description") or "")[:20000],
        author_is_bot=is_bot(author),
        draft=data.get("draft") is True,
        labels=tuple(str(label) for label in labels or ())[:100],
        mergeable=_mergeable(data),
        merged_at=moment(data.get("merged_at")) if merged else None,
        merged_by=username(data.get("merge_user") or data.get("merged_by")) if merged else "",
        merge_sha=_merge_sha(data) if merged else "",
        locked=data.get("discussion_locked") is True,
        held=_held(data),
        queued=queued(data),
    )


def queued(data: Mapping[str, Any]) -> bool:
    """It is on a merge train or to go there, or waits for its checks; a locked one is being merged at this moment."""
    return data.get("state") == "locked" or (
        data.get("state") == "opened" and data.get("merge_when_pipeline_succeeds") is True
    )


def left_line(notes: Iterable[Mapping[str, Any]]) -> LeftLine | None:
    """How it last left its merge train, by GitLab's own notes, oldest first; whoever takes it off gives no reason."""
    found = None
    for note in notes:
        said = _OFF.match(str(note.get("body") or "")) if note.get("system") is True else None
        at = moment(note.get("created_at"))
        if said is not None and at is not None:
            why = said["why"] or f"{username(note.get('author')) or 'somebody'} took it off"
            found = LeftLine(at, why.partition(" [Learn more]")[0].strip().rstrip(".")[:300])
    return found


def _held(data: Mapping[str, Any]) -> tuple[HostHold, ...]:
    """GitLab names the first thing that stands against the merge, and no other."""
    hold = WAITS.get(str(data.get("detailed_merge_status") or ""))
    return (hold,) if hold else ()


def _merge_sha(data: Mapping[str, Any]) -> str:
    """The last commit of the merge: a merge commit, else the squashed one, else the head was fast-forwarded to."""
    found = (data.get(name) for name in ("merge_commit_sha", "squash_commit_sha", "sha"))
    return next((str(sha) for sha in found if sha), "")


def _mergeable(data: Mapping[str, Any]) -> Mergeable:
    status = str(data.get("detailed_merge_status") or "")
    if data.get("has_conflicts") is True or status in CONFLICTS:
        return Mergeable.NO
    return Mergeable.UNKNOWN if status in COMPUTING else Mergeable.YES


def reviews(
    approvals: Mapping[str, Any], reviewers: Iterable[Mapping[str, Any]], notes: Iterable[Mapping[str, Any]]
) -> tuple[Review, ...]:
    """Who approved and who wants changes. GitLab names no commit, and older ones no time: its own note of the moment
    does. What has no time was given at the beginning of time, where it counts for nothing that was shown.
    """
    said = _last_said(notes)
    found = []
    for each in approvals.get("approved_by") or ():
        who = username(some(each).get("user"))
        at = moment(some(each).get("approved_at")) or said.get((who, APPROVED)) or EPOCH
        found.append(_review(who, ReviewState.APPROVED, at))
    for each in reviewers:
        who = username(each.get("user"))
        if each.get("state") == "requested_changes":
            at = said.get((who, REQUESTED)) or moment(each.get("created_at")) or EPOCH
            earlier = [review for review in found if review.author == who]
            # The state is the newest word: an approval beside it is an older one.
            found = [review for review in found if review not in earlier]
            found.append(_review(who, ReviewState.CHANGES_REQUESTED, at))
    return tuple(review for review in found if review.author)


def _last_said(notes: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], datetime]:
    """When somebody last approved or asked for changes, by GitLab's own notes, oldest first."""
    found = {}
    for note in notes:
        body, at = str(note.get("body") or ""), moment(note.get("created_at"))
        if note.get("system") is True and at is not None and body in (APPROVED, REQUESTED):
            found[username(note.get("author")), body] = at
    return found


def _review(who: str, state: ReviewState, at: datetime) -> Review:
    return Review(f"{who}-{state.value}-{at:%Y%m%dT%H%M%S%f}", who, state, "", at, by_bot=is_bot(who))


def comment(data: Mapping[str, Any], own: str) -> Comment:
    """One note of the conversation."""
    author, created = username(data.get("author")), moment(data.get("created_at")) or EPOCH
    updated, body = moment(data.get("updated_at")), str(data.get("body") or "")[:200_000]
    edited = updated if updated and updated > created else None
    return Comment(str(data.get("id")), author, body, created, edited, is_ours(author, body, own))


def commit(data: Mapping[str, Any], logins: Mapping[str, str]) -> Commit:
    """One commit; ``logins`` are the accounts of the addresses that git names."""
    author, committer = address(data, "author"), address(data, "committer")
    return Commit(str(data.get("id") or ""), logins.get(author, ""), logins.get(committer, ""))


def address(data: Mapping[str, Any], whose: str) -> str:
    """An e-mail address of a commit, as accounts are looked up by it."""
    return str(data.get(f"{whose}_email") or "").strip().lower()[:320]


def status(data: Mapping[str, Any]) -> HostCheck:
    """A commit's status; one that is allowed to fail fails nothing."""
    state = CHECKS.get(str(data.get("status")), CheckState.PENDING)
    if state is CheckState.FAILURE and data.get("allow_failure") is True:
        state = CheckState.NEUTRAL
    return HostCheck(str(data.get("name") or ""), state, username(data.get("author")))


def permission(data: Mapping[str, Any]) -> Permission:
    """A member's level: 10 guest, 15 planner, 20 reporter, 25 security manager, 30 developer, 40 maintainer,
    50 owner. Only the last three contain each other; a member who is blocked or only invited may nothing."""
    level = data.get("access_level")
    if not isinstance(level, int) or data.get("state", "active") != "active":
        return Permission.NONE
    bounds = ((50, Permission.ADMIN), (40, Permission.MAINTAIN), (30, Permission.WRITE))
    found = next((held for bound, held in bounds if level >= bound), None)
    if found is not None:
        return found
    return Permission.TRIAGE if level == 20 else Permission.READ if level >= 10 else Permission.NONE
