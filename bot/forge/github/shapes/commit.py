"""Commits, changed files, comparisons and contents as GitHub's JSON."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from bot.forge import gitread
from bot.forge.github.shapes.people import Json, account, api, moment, node_id
from bot.forge.gitread import TreeEntry
from bot.forge.gitstore import CommitInfo, FileChange, Signature
from bot.forge.model import Repo
from bot.forge.state import State

_UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


def _url(state: State, repo: Repo) -> str:
    return f"{api(state)}/repos/{repo.full_name}"


def _person(state: State, who: Signature) -> Json | None:
    found = next((known for known in state.accounts.values() if known.email == who.email), None)
    return account(state, found) if found else None


def _signed(who: Signature) -> Json:
    return {"name": who.name, "email": who.email, "date": moment(who.at)}


def commit(state: State, repo: Repo, sha: str) -> Json:
    """A commit by SHA, without its files."""
    return commit_info(state, repo, gitread.commit(state.git(repo), sha))


def commit_info(state: State, repo: Repo, info: CommitInfo) -> Json:
    """A commit, without its files."""
    url = _url(state, repo)
    html = f"{state.root}/{repo.full_name}/commit"
    return {
        "url": f"{url}/commits/{info.sha}",
        "sha": info.sha,
        "node_id": f"C_{info.sha[:16]}",
        "html_url": f"{html}/{info.sha}",
        "comments_url": f"{url}/commits/{info.sha}/comments",
        "commit": {
            "url": f"{url}/git/commits/{info.sha}",
            "author": _signed(info.author),
            "committer": _signed(info.committer),
            "message": info.message,
            "comment_count": 0,
            "tree": {"sha": info.tree, "url": f"{url}/git/trees/{info.tree}"},
            "verification": _UNSIGNED,
        },
        "author": _person(state, info.author),
        "committer": _person(state, info.committer),
        "parents": [{"sha": sha, "url": f"{url}/commits/{sha}", "html_url": f"{html}/{sha}"} for sha in info.parents],
    }


def commit_with_files(state: State, repo: Repo, sha: str) -> Json:
    """A commit with what it changed against its first parent."""
    info = gitread.commit(state.git(repo), sha)
    since = info.parents[0] if info.parents else gitread.EMPTY_TREE
    changes = gitread.changed_files(state.git(repo), since, sha)
    added, deleted = sum(c.additions for c in changes), sum(c.deletions for c in changes)
    return {
        **commit_info(state, repo, info),
        "stats": {"additions": added, "deletions": deleted, "total": added + deleted},
        "files": [changed_file(state, repo, sha, change) for change in changes],
    }


def git_commit(state: State, repo: Repo, sha: str) -> Json:
    """A commit as the git database endpoints show it."""
    whole = commit(state, repo, sha)
    inner = whole["commit"]
    return {
        "sha": sha,
        "node_id": whole["node_id"],
        "url": inner["url"],
        "html_url": whole["html_url"],
        "author": inner["author"],
        "committer": inner["committer"],
        "tree": inner["tree"],
        "message": inner["message"],
        "parents": whole["parents"],
        "verification": _UNSIGNED,
    }


def git_ref(state: State, repo: Repo, ref: str, sha: str) -> Json:
    """A ref and the commit it points to."""
    url = _url(state, repo)
    return {
        "ref": ref,
        "node_id": node_id("REF", repo.id) + quote(ref, safe=""),
        "url": f"{url}/git/{ref}",
        "object": {"type": "commit", "sha": sha, "url": f"{url}/git/commits/{sha}"},
    }


def changed_file(state: State, repo: Repo, sha: str, change: FileChange) -> Json:
    """One file that a commit or pull request changes."""
    html = f"{state.root}/{repo.full_name}"
    path = quote(change.path)
    shape: Json = {
        "sha": change.blob,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{html}/blob/{sha}/{path}",
        "raw_url": f"{html}/raw/{sha}/{path}",
        "contents_url": f"{_url(state, repo)}/contents/{path}?ref={sha}",
    }
    if change.patch is not None:
        shape["patch"] = change.patch
    if change.previous is not None:
        shape["previous_filename"] = change.previous
    return shape


def comparison(state: State, repo: Repo, base: str, head: str) -> Json:
    """Two commits compared, as ``base...head``."""
    git = state.git(repo)
    merge_base = git.merge_base(base, head) or base
    behind, ahead = gitread.count(git, base, head)
    words = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    commits = gitread.commits(git, "--reverse", f"{base}..{head}")
    changes = gitread.changed_files(git, merge_base, head)
    html = f"{state.root}/{repo.full_name}/compare/{base}...{head}"
    return {
        "url": f"{_url(state, repo)}/compare/{base}...{head}",
        "html_url": html,
        "permalink_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": commit(state, repo, base),
        "merge_base_commit": commit(state, repo, merge_base),
        "status": words[(ahead > 0, behind > 0)],
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": len(commits),
        "commits": [commit_info(state, repo, info) for info in commits],
        "files": [changed_file(state, repo, head, change) for change in changes],
    }


def content(state: State, repo: Repo, ref: str, entry: TreeEntry, data: bytes | None) -> Json:
    """A file or directory entry; with ``data`` its content is included."""
    url = f"{_url(state, repo)}/contents/{quote(entry.path)}?ref={quote(ref)}"
    html = f"{state.root}/{repo.full_name}/blob/{ref}/{quote(entry.path)}"
    kind = "dir" if entry.kind == "tree" else "symlink" if entry.mode == "120000" else "file"
    kind = "submodule" if entry.kind == "commit" else kind
    git_url = f"{_url(state, repo)}/git/{'trees' if kind == 'dir' else 'blobs'}/{entry.sha}"
    shape: dict[str, Any] = {
        "type": kind,
        "size": entry.size,
        "name": entry.path.rpartition("/")[2],
        "path": entry.path,
        "sha": entry.sha,
        "url": url,
        "git_url": git_url,
        "html_url": html,
        "download_url": None if kind == "dir" else html.replace("/blob/", "/raw/"),
        "_links": {"self": url, "git": git_url, "html": html},
    }
    if data is not None:
        shape |= {"encoding": "base64", "content": base64.encodebytes(data).decode()}
        if kind == "symlink":
            shape["target"] = data.decode(errors="replace")
    return shape
