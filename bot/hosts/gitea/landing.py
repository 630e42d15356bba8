"""Who pushed a commit, and which change brought one that its merge rewrote: what the server does not say itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from bot.core.errors import HostGone
from bot.hosts.answers import parsed
from bot.hosts.fields import login, some
from bot.hosts.gitea.client import Client

PUSHES: Final = frozenset({"commit_repo", "mirror_sync_push"})
RECENT: Final = 10
"""Merged changes among which one is looked for that a commit came with."""
MOST_COMMITS: Final = 250


def pushed_in(page: Sequence[Mapping[str, Any]], branch: str) -> dict[str, str]:
    """Commit -> who pushed it last to a branch, from a page of a repository's activity."""
    found: dict[str, str] = {}
    for each in page:
        pushed = each.get("op_type") in PUSHES and each.get("ref_name") in (branch, f"refs/heads/{branch}")
        for sha in _commits(each.get("content")) if pushed else ():
            found.setdefault(sha, login(each.get("act_user")))
    return {sha: who for sha, who in found.items() if who}


def _commits(content: object) -> tuple[str, ...]:
    """The commits of a push as far as the server names them: its last ones."""
    told = some(parsed(content if isinstance(content, str) else None))
    commits = told.get("Commits")
    named = [told.get("HeadCommit"), *(commits if isinstance(commits, list) else ())]
    return tuple(sha for each in named if (sha := str(some(each).get("Sha1") or "")))


def landed(client: Client, at: str, sha: str) -> tuple[int, ...]:
    """The merged change that brought a commit which is not the last one of its merge.

    The server knows a merge by its last commit only; a rebase makes several. Those before it belong to the change
    when they are, one by one, the change's own: same author, time of writing and message. ``at`` is the repository's
    path in the API.
    """
    merged = client.send("GET", f"{at}/pulls?state=closed&sort=recentupdate&page=1&limit={RECENT}").data
    for each in merged if isinstance(merged, list) else ():
        change = some(each)
        if change.get("merged") is True and sha in _brought(client, at, change):
            return (int(change["number"]),)
    return ()


def _brought(client: Client, at: str, change: Mapping[str, Any]) -> tuple[str, ...]:
    """The commits that a change's merge put before its last one; newest first."""
    last = str(change.get("merge_commit_sha") or "")
    plain = "verification=false&files=false"
    try:
        own, whole = client.all(f"{at}/pulls/{change.get('number')}/commits?{plain}", MOST_COMMITS)
        if not last or not whole or len(own) < 2:
            return ()
        path = f"{at}/commits?sha={quote(last)}&stat=false&{plain}"
        found, _ = client.all(path, len(own))
    except HostGone:
        return ()
    line = [each for each in found if len(each.get("parents") or ()) == 1][: len(own)]
    same = [_written(each) for each in line] == [_written(each) for each in own]
    return tuple(str(each.get("sha")) for each in line) if same else ()


def _written(commit: Mapping[str, Any]) -> tuple[str, ...]:
    """What of a commit stays the same when it is rebased."""
    told = some(commit.get("commit"))
    author = some(told.get("author"))
    parts = (author.get("email"), author.get("date"), told.get("message"))
    return tuple(str(part).strip() for part in parts)
