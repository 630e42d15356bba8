"""Commits, diffs, trees and comparisons as GitLab's JSON."""

from __future__ import annotations

from bot.forge.gitlab.shapes.people import Json
from bot.forge.gitstore import CommitInfo, FileChange, Signature
from bot.forge.model import Repo
from bot.forge.state import State

DIFF_LIMIT = 200 * 1024


def at(who: Signature) -> str:
    """A commit's time as GitLab writes it."""
    return who.at.strftime("%Y-%m-%dT%H:%M:%S.000+00:00")


def commit_url(state: State, repo: Repo, sha: str) -> str:
    """The page of a commit."""
    return f"{state.root}/{repo.full_name}/-/commit/{sha}"


def commit_short(state: State, repo: Repo, info: CommitInfo) -> Json:
    """A commit as lists show it."""
    return {
        "id": info.sha,
        "short_id": info.sha[:8],
        "created_at": at(info.committer),
        "parent_ids": list(info.parents),
        "title": info.message.partition("\n")[0],
        "message": f"{info.message}\n",
        "author_name": info.author.name,
        "author_email": info.author.email,
        "authored_date": at(info.author),
        "committer_name": info.committer.name,
        "committer_email": info.committer.email,
        "committed_date": at(info.committer),
        "trailers": {},
        "extended_trailers": {},
        "web_url": commit_url(state, repo, info.sha),
    }


def commit(state: State, repo: Repo, info: CommitInfo, changes: list[FileChange]) -> Json:
    """A commit by itself."""
    added, deleted = sum(c.additions for c in changes), sum(c.deletions for c in changes)
    return commit_short(state, repo, info) | {
        "stats": {"additions": added, "deletions": deleted, "total": added + deleted},
        "status": None,
        "project_id": repo.id,
        "last_pipeline": None,
    }


def diff(change: FileChange) -> Json:
    """One changed file; a diff too large for GitLab's limit is empty and says so."""
    text = f"{change.patch}\n" if change.patch else ""
    too_large = len(text) > DIFF_LIMIT
    modes = {"added": ("0", "100644"), "removed": ("100644", "0")}.get(change.status, ("100644", "100644"))
    return {
        "diff": "" if too_large else text,
        "collapsed": False,
        "too_large": too_large,
        "new_path": change.path,
        "old_path": change.previous or change.path,
        "a_mode": modes[0],
        "b_mode": modes[1],
        "new_file": change.status == "added",
        "renamed_file": change.status == "renamed",
        "deleted_file": change.status == "removed",
        "generated_file": False,
    }
