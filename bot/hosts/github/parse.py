"""GitHub's JSON as our values. Whatever is missing or odd becomes a harmless default, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
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

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

PERMISSIONS: Final[Mapping[str, Permission]] = {
    "admin": Permission.ADMIN,
    "maintain": Permission.MAINTAIN,
    "write": Permission.WRITE,
    "push": Permission.WRITE,
    "triage": Permission.TRIAGE,
    "read": Permission.READ,
    "pull": Permission.READ,
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


def moment(text: object) -> datetime | None:
    """``2026-01-02T03:04:05Z`` as an aware time."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def login(account: object) -> str:
    """An account's login; empty for one that was deleted (null)."""
    return str(account.get("login") or "") if isinstance(account, dict) else ""


def change(ref: ChangeRef, data: Mapping[str, Any]) -> Change:
    """``GET /repos/{r}/pulls/{n}``."""
    head, base, author = data.get("head") or {}, data.get("base") or {}, data.get("user") or {}
    head_repo = (head.get("repo") or {}).get("full_name")
    merged = bool(data.get("merged_at"))
    state = ChangeState.MERGED if merged else ChangeState.OPEN if data.get("state") == "open" else ChangeState.CLOSED
    mergeable = {True: Mergeable.YES, False: Mergeable.NO}.get(data.get("mergeable"), Mergeable.UNKNOWN)  # type: ignore[arg-type]
    return Change(
        ref=ref,
        title=str(data.get("title") or "")[:500],
        author=login(author),
        state=state,
        head_sha=str(head.get("sha") or ""),
        head_ref=str(head.get("ref") or ""),
        head_repo=RepoRef(ref.repo.host, head_repo) if head_repo else None,
        base_ref=str(base.get("ref") or ""),
        base_sha=str(base.get("sha") or ""),
        created_at=moment(data.get("created_at")) or EPOCH,
        updated_at=moment(data.get("updated_at")) or EPOCH,
        url=str(data.get("html_url") or ""),
        body=str(data.get("body") or "")[:20000],
        author_is_bot=author.get("type") == "Bot",
        draft=bool(data.get("draft")),
        labels=tuple(str(label.get("name") or "") for label in data.get("labels") or ())[:100],
        mergeable=mergeable,
        merged_at=moment(data.get("merged_at")),
        merged_by=login(data.get("merged_by")),
        merge_sha=str(data.get("merge_commit_sha") or "") if merged else "",
        locked=bool(data.get("locked")),
    )


def review(data: Mapping[str, Any]) -> Review | None:
    """One review; None for a pending one, which nobody has given yet."""
    state, at = REVIEWS.get(str(data.get("state"))), moment(data.get("submitted_at"))
    if state is None or at is None:
        return None
    body = str(data.get("body") or "")[:2000]
    return Review(str(data.get("id")), login(data.get("user")), state, str(data.get("commit_id") or ""), at, body)


def comment(data: Mapping[str, Any], own: str) -> Comment:
    """One comment of the conversation."""
    author, created = login(data.get("user")), moment(data.get("created_at")) or EPOCH
    updated = moment(data.get("updated_at"))
    edited = updated if updated and updated > created else None
    ours = bool(own) and author.lower() == own.lower()
    return Comment(str(data.get("id")), author, str(data.get("body") or "")[:70000], created, edited, ours)


def commit(data: Mapping[str, Any]) -> Commit:
    """One commit of the change; the logins are the accounts GitHub matched, not what git says."""
    committer = login(data.get("committer"))
    return Commit(str(data.get("sha") or ""), login(data.get("author")), committer, committer == "web-flow")


def status(data: Mapping[str, Any]) -> HostCheck:
    """A commit status."""
    state = CONCLUSIONS.get(str(data.get("state")), CheckState.PENDING)
    return HostCheck(str(data.get("context") or ""), state, login(data.get("creator")))


def check_run(data: Mapping[str, Any]) -> HostCheck:
    """A check run; pending until it is completed."""
    done = data.get("status") == "completed"
    state = CONCLUSIONS.get(str(data.get("conclusion")), CheckState.PENDING) if done else CheckState.PENDING
    return HostCheck(str(data.get("name") or ""), state, str((data.get("app") or {}).get("slug") or ""))


def permission(data: Mapping[str, Any]) -> Permission:
    """The finer ``role_name`` where there is one, else ``permission``; a custom role counts as its base."""
    by_role = PERMISSIONS.get(str(data.get("role_name")))
    return by_role if by_role is not None else PERMISSIONS.get(str(data.get("permission")), Permission.NONE)
