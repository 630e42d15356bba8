"""GitHub's JSON as our values. Whatever is missing or odd becomes a harmless default, never an exception."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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

WEB_FLOW: Final = "web-flow"
"""The committer of commits that GitHub itself makes: https://github.com/web-flow"""

ASKED_BY: Final = re.compile(
    r"^co-authored-by:[^\n<]{0,200}"
    r"<(?:\d{1,20}\+)?([a-z0-9][a-z0-9-]{0,60})@users\.noreply\.[a-z0-9.-]{1,200}>[ \t\r]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Whom an agent names in the commits it was asked for. GitHub does not count their approval either:
https://docs.github.com/copilot/how-tos/use-copilot-agents/coding-agent/review-copilot-prs"""

PERMISSIONS: Final[Mapping[str, Permission]] = {
    "admin": Permission.ADMIN,
    "maintain": Permission.MAINTAIN,
    "write": Permission.WRITE,
    "push": Permission.WRITE,
    "triage": Permission.TRIAGE,
    "read": Permission.READ,
    "pull": Permission.READ,
    "none": Permission.NONE,
}

REVIEWS: Final[Mapping[str, ReviewState]] = {
    "APPROVED": ReviewState.APPROVED,
    "CHANGES_REQUESTED": ReviewState.CHANGES_REQUESTED,
    "COMMENTED": ReviewState.COMMENTED,
    "DISMISSED": ReviewState.DISMISSED,
}

CONCLUSIONS: Final[Mapping[str, CheckState]] = {
    "success": CheckState.SUCCESS,
    "neutral": CheckState.NEUTRAL,
    "skipped": CheckState.NEUTRAL,
    "failure": CheckState.FAILURE,
    "cancelled": CheckState.FAILURE,
    "timed_out": CheckState.FAILURE,
    "action_required": CheckState.FAILURE,
    "stale": CheckState.PENDING,
    "error": CheckState.ERROR,
    "pending": CheckState.PENDING,
}


def is_bot(account: Mapping[str, Any]) -> bool:
    """Whether an account is an application's; a machine user is a person to GitHub and to us."""
    return account.get("type") == "Bot"


def change(ref: ChangeRef, data: Mapping[str, Any]) -> Change:
    """``GET /repos/{r}/pulls/{n}``."""
    head, base, author = some(data.get("head")), some(data.get("base")), some(data.get("user"))
    merged = moment(data.get("merged_at"))
    closed = ChangeState.OPEN if data.get("state") == "open" else ChangeState.CLOSED
    labels = data.get("labels") if isinstance(data.get("labels"), list) else []
    return Change(
        ref=ref,
        title=str(data.get("title") or "")[:500],
        author=login(author),
        state=ChangeState.MERGED if merged else closed,
        head_sha=str(head.get("sha") or ""),
        head_ref=str(head.get("ref") or ""),
        head_repo=_head_repo(ref.repo, some(head.get("repo")), some(base.get("repo"))),
        base_ref=str(base.get("ref") or ""),
        base_sha=str(base.get("sha") or ""),
        created_at=moment(data.get("created_at")) or EPOCH,
        updated_at=moment(data.get("updated_at")) or EPOCH,
        url=str(data.get("html_url") or ""),
        body=str(data.get("body") or "")[:20000],
        author_is_bot=is_bot(author),
        draft=bool(data.get("draft")),
        labels=tuple(str(some(label).get("name") or "") for label in labels or ())[:100],
        mergeable=_mergeable(data.get("mergeable")),
        merged_at=merged,
        merged_by=login(data.get("merged_by")),
        merge_sha=str(data.get("merge_commit_sha") or "") if merged else "",
        locked=bool(data.get("locked")),
    )


def _head_repo(ours: RepoRef, head: Mapping[str, Any], base: Mapping[str, Any]) -> RepoRef | None:
    """Compared by id: the operator may spell the name otherwise, or the repository was renamed."""
    name = head.get("full_name")
    if not isinstance(name, str) or not name:
        return None
    same = head.get("id") is not None and head.get("id") == base.get("id")
    return ours if same else RepoRef(ours.host, name)


def _mergeable(value: object) -> Mergeable:
    if value is True:
        return Mergeable.YES
    return Mergeable.NO if value is False else Mergeable.UNKNOWN


def review(data: Mapping[str, Any]) -> Review | None:
    """One review; None for a pending one, which nobody has given yet."""
    state, at = REVIEWS.get(str(data.get("state"))), moment(data.get("submitted_at"))
    if state is None or at is None:
        return None
    body = str(data.get("body") or "")[:2000]
    return Review(
        str(data.get("id")),
        login(data.get("user")),
        state,
        str(data.get("commit_id") or ""),
        at,
        body,
        by_bot=is_bot(some(data.get("user"))),
    )


def comment(data: Mapping[str, Any], own: str) -> Comment:
    """One comment of the conversation."""
    author, created = login(data.get("user")), moment(data.get("created_at")) or EPOCH
    updated, body = moment(data.get("updated_at")), str(data.get("body") or "")[:70000]
    edited = updated if updated and updated > created else None
    return Comment(str(data.get("id")), author, body, created, edited, is_ours(author, body, own))


def commit(data: Mapping[str, Any]) -> Commit:
    """One commit of the change; the logins are the accounts GitHub matched, not what git says.

    Anybody may write the web editor's name and address into a commit; its signature nobody else can make.
    """
    committer = login(data.get("committer"))
    verified = some(some(data.get("commit")).get("verification")).get("verified") is True
    via_web = committer == WEB_FLOW and verified
    asked_by = _asked_by(some(data.get("commit")).get("message")) if is_bot(some(data.get("author"))) else ()
    return Commit(str(data.get("sha") or ""), login(data.get("author")), committer, via_web, asked_by)


def _asked_by(message: object) -> tuple[str, ...]:
    """The accounts among a message's co-authors; an address that is no account's says nothing to us."""
    found = ASKED_BY.findall(message[-20000:]) if isinstance(message, str) else []
    return tuple(dict.fromkeys(found))[:20]


def status(data: Mapping[str, Any]) -> HostCheck:
    """A commit status."""
    state = CONCLUSIONS.get(str(data.get("state")), CheckState.PENDING)
    return HostCheck(str(data.get("context") or ""), state, login(data.get("creator")))


def newest(statuses: Iterable[HostCheck]) -> tuple[HostCheck, ...]:
    """Of each name the first, which is the newest: hosts list statuses in reverse chronological order."""
    found: dict[str, HostCheck] = {}
    for status_ in statuses:
        found.setdefault(status_.name, status_)
    return tuple(found.values())


def check_run(data: Mapping[str, Any]) -> HostCheck:
    """A check run; pending until it is completed."""
    done = data.get("status") == "completed"
    state = CONCLUSIONS.get(str(data.get("conclusion")), CheckState.PENDING) if done else CheckState.PENDING
    return HostCheck(str(data.get("name") or ""), state, str(some(data.get("app")).get("slug") or ""))


def permission(data: Mapping[str, Any]) -> Permission:
    """Somebody's permission; a custom role counts as what it was made from.

    ``GET …/collaborators/{login}/permission`` has ``role_name`` and the coarser ``permission``;
    an entry of ``GET …/collaborators`` has ``role_name`` and flags.
    """
    by_role = PERMISSIONS.get(str(data.get("role_name")))
    if by_role is not None:
        return by_role
    flags = [name for name, granted in some(data.get("permissions")).items() if granted is True]
    held = [PERMISSIONS[name] for name in (*flags, str(data.get("permission"))) if name in PERMISSIONS]
    return max(held, default=Permission.NONE)
