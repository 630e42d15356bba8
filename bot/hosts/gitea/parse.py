"""The API's JSON as our values. Whatever is missing or odd becomes a harmless default, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bot.core.model import (
    Change,
    ChangeRef,
    ChangeState,
    CheckState,
    Comment,
    Commit,
    HostCheck,
    Mergeable,
    Permission,
    RepoRef,
    Review,
    ReviewState,
)
from bot.hosts.fields import EPOCH, is_ours, login, moment, some

PERMISSIONS: Final[Mapping[str, Permission]] = {
    "owner": Permission.ADMIN,
    "admin": Permission.ADMIN,
    "write": Permission.WRITE,
    "read": Permission.READ,
    "none": Permission.NONE,
}

REVIEWS: Final[Mapping[str, ReviewState]] = {
    "APPROVED": ReviewState.APPROVED,
    "REQUEST_CHANGES": ReviewState.CHANGES_REQUESTED,
    "COMMENT": ReviewState.COMMENTED,
}
"""Those that somebody has given; a pending one nobody has, and a request for one is none."""

STATES: Final[Mapping[str, CheckState]] = {
    "success": CheckState.SUCCESS,
    "warning": CheckState.FAILURE,
    "skipped": CheckState.NEUTRAL,
    "failure": CheckState.FAILURE,
    "error": CheckState.ERROR,
}
"""A warning fails a required status on the server, too."""

ACTIONS: Final = -2
"""The id of the server's own workflows, whatever they are called."""


def is_bot(account: Mapping[str, Any]) -> bool:
    """Whether an account is the server's own; other machines it does not tell from people."""
    return account.get("id") == ACTIONS


def change(ref: ChangeRef, data: Mapping[str, Any]) -> Change:
    """``GET /repos/{owner}/{repo}/pulls/{index}``."""
    head, base, author = some(data.get("head")), some(data.get("base")), some(data.get("user"))
    merged = data.get("merged") is True
    closed = ChangeState.OPEN if data.get("state") == "open" else ChangeState.CLOSED
    labels = data.get("labels") if isinstance(data.get("labels"), list) else []
    return Change(
        ref=ref,
        title=str(data.get("title") or "")[:500],
        author=login(author),
        state=ChangeState.MERGED if merged else closed,
        head_sha=str(head.get("sha") or ""),
        head_ref=str(head.get("ref") or ""),
        head_repo=_head_repo(ref.repo, head, base),
        base_ref=str(base.get("ref") or ""),
        base_sha=str(base.get("sha") or ""),
        created_at=moment(data.get("created_at")) or EPOCH,
        updated_at=moment(data.get("updated_at")) or EPOCH,
        url=str(data.get("html_url") or ""),
        body=str(data.get("body") or "")[:20000],
        author_is_bot=is_bot(author),
        draft=data.get("draft") is True,
        labels=tuple(str(some(label).get("name") or "") for label in labels or ())[:100],
        # "false" may as well mean that the server is still looking, or that the change is a draft.
        mergeable=Mergeable.YES if data.get("mergeable") is True else Mergeable.UNKNOWN,
        merged_at=moment(data.get("merged_at")) if merged else None,
        merged_by=login(data.get("merged_by")) if merged else "",
        merge_sha=str(data.get("merge_commit_sha") or "") if merged else "",
        locked=data.get("is_locked") is True,
    )


def _head_repo(ours: RepoRef, head: Mapping[str, Any], base: Mapping[str, Any]) -> RepoRef | None:
    """Compared by id: the operator may spell the name otherwise, or the repository was renamed."""
    number, name = head.get("repo_id"), some(head.get("repo")).get("full_name")
    if isinstance(number, int) and number > 0 and number == base.get("repo_id"):
        return ours
    return RepoRef(ours.host, name) if isinstance(name, str) and name else None


def review(data: Mapping[str, Any]) -> Review | None:
    """One review; None for one that nobody has given yet.

    ``submitted_at`` is when it was begun: what was shown after that it never counts for, which errs on the side of
    asking again.
    """
    state, at, by = REVIEWS.get(str(data.get("state"))), moment(data.get("submitted_at")), some(data.get("user"))
    if state is None or at is None:
        return None
    if data.get("dismissed") is True:
        state = ReviewState.DISMISSED
    sha, body = str(data.get("commit_id") or ""), str(data.get("body") or "")[:2000]
    return Review(str(data.get("id")), login(by), state, sha, at, body, by_bot=is_bot(by))


def comment(data: Mapping[str, Any], own: str) -> Comment:
    """One comment of the conversation."""
    author, created = login(data.get("user")), moment(data.get("created_at")) or EPOCH
    updated, body = moment(data.get("updated_at")), str(data.get("body") or "")[:70000]
    edited = updated if updated and updated > created else None
    return Comment(str(data.get("id")), author, body, created, edited, is_ours(author, body, own))


def commit(data: Mapping[str, Any]) -> Commit:
    """One commit of the change; the logins are the accounts whose addresses git names."""
    return Commit(str(data.get("sha") or ""), login(data.get("author")), login(data.get("committer")))


def status(data: Mapping[str, Any]) -> HostCheck:
    """A commit's status."""
    state = STATES.get(str(data.get("status") or data.get("state")), CheckState.PENDING)
    return HostCheck(str(data.get("context") or ""), state, login(data.get("creator")))


def permission(data: Mapping[str, Any]) -> Permission:
    """``GET /repos/{owner}/{repo}/collaborators/{login}/permission``."""
    return PERMISSIONS.get(str(data.get("permission")), Permission.NONE)
