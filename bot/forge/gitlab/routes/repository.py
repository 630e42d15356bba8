"""Commits, files, trees, comparisons and tags."""

from __future__ import annotations

import base64
import hashlib

from bot.forge import gitread
from bot.forge.gitlab.call import Answer, Call, Declined, Page, Result, Route
from bot.forge.gitlab.shapes import commit as shapes
from bot.forge.gitlab.shapes.merge_request import merge_request
from bot.forge.gitlab.shapes.people import Json
from bot.forge.pulls import pull_commits


def _sha(call: Call, name: str, what: str = "Commit") -> str:
    found = call.state.git(call.repo).resolve(name)
    if found is None:
        raise Declined(404, f"404 {what} Not Found")
    return found


def list_commits(call: Call) -> Result:
    """``GET /projects/:id/repository/commits``."""
    sha = _sha(call, call.text("ref_name") or call.repo.default_branch)
    words = [sha, *(["--first-parent"] if call.flag("first_parent") else [])]
    for name in ("since", "until"):
        moment = call.moment(name)
        if moment is not None:
            words.append(f"--{name}={moment.isoformat()}")
    found = gitread.commits(call.state.git(call.repo), *words)
    return Page(found, lambda info: shapes.commit_short(call.state, call.repo, info))


def get_commit(call: Call, sha: str) -> Result:
    """``GET /projects/:id/repository/commits/:sha``."""
    git = call.state.git(call.repo)
    info = gitread.commit(git, _sha(call, sha))
    since = info.parents[0] if info.parents else gitread.EMPTY_TREE
    return shapes.commit(call.state, call.repo, info, gitread.changed_files(git, since, info.sha, patches=False))


def commit_diff(call: Call, sha: str) -> Result:
    """``GET /projects/:id/repository/commits/:sha/diff``."""
    git = call.state.git(call.repo)
    info = gitread.commit(git, _sha(call, sha))
    since = info.parents[0] if info.parents else gitread.EMPTY_TREE
    return Page(gitread.changed_files(git, since, info.sha), shapes.diff)


def commit_refs(call: Call, sha: str) -> Result:
    """``GET /projects/:id/repository/commits/:sha/refs``."""
    git, full = call.state.git(call.repo), _sha(call, sha)
    rows: list[Json] = []
    for kind, prefix in (("branch", "refs/heads"), ("tag", "refs/tags")):
        for ref, tip in git.refs(prefix).items():
            if git.is_ancestor(full, tip):
                rows.append({"type": kind, "name": ref.removeprefix(f"{prefix}/")})
    wanted = call.one_of("type", "branch", "tag", "all")
    return Page([row for row in rows if wanted in (None, "all", row["type"])], lambda row: row)


def commit_merge_requests(call: Call, sha: str) -> Result:
    """``GET /projects/:id/repository/commits/:sha/merge_requests``."""
    full = _sha(call, sha)
    holding = [
        pull
        for pull in call.repo.pulls
        if full in (pull.merge_sha if pull.merged_at else None, pull.squash_sha)
        or any(info.sha == full for info in pull_commits(call.state, call.repo, pull))
    ]
    return Page(holding, lambda pull: merge_request(call.state, call.repo, pull))


def merge_base(call: Call) -> Result:
    """``GET /projects/:id/repository/merge_base``."""
    refs = call.words("refs") or []
    if len(refs) != 2:
        raise Declined(400, "Provide exactly 2 refs")
    git = call.state.git(call.repo)
    base = git.merge_base(_sha(call, refs[0]), _sha(call, refs[1]))
    if base is None:
        raise Declined(404, "404 Merge Base Not Found")
    return shapes.commit_short(call.state, call.repo, gitread.commit(git, base))


def compare(call: Call) -> Result:
    """``GET /projects/:id/repository/compare``."""
    git = call.state.git(call.repo)
    start, end = _sha(call, call.need("from")), _sha(call, call.need("to"))
    base = start if call.flag("straight") else git.merge_base(start, end) or start
    infos = gitread.commits(git, "--reverse", f"{start}..{end}")
    shown = [shapes.commit_short(call.state, call.repo, info) for info in infos]
    return {
        "commit": shown[-1] if shown else None,
        "commits": shown,
        "diffs": [shapes.diff(change) for change in gitread.changed_files(git, base, end)],
        "compare_timeout": False,
        "compare_same_ref": start == end,
        "web_url": f"{call.state.root}/{call.repo.full_name}/-/compare/{start}...{end}",
    }


def _file(call: Call, path: str) -> tuple[str, str, bytes]:
    sha = _sha(call, call.text("ref") or call.repo.default_branch)
    git = call.state.git(call.repo)
    entry = gitread.entry(git, sha, path)
    if entry is None or entry.kind != "blob":
        raise Declined(404, "404 File Not Found")
    return sha, entry.sha, gitread.blob(git, entry.sha)


def get_file(call: Call, path: str) -> Result:
    """``GET /projects/:id/repository/files/:path``."""
    sha, blob, data = _file(call, path)
    return {
        "file_name": path.rpartition("/")[2],
        "file_path": path,
        "size": len(data),
        "encoding": "base64",
        "content_sha256": hashlib.sha256(data).hexdigest(),
        "ref": call.text("ref") or call.repo.default_branch,
        "blob_id": blob,
        "commit_id": sha,
        "last_commit_id": sha,
        "execute_filemode": False,
        "content": base64.b64encode(data).decode(),
    }


def get_raw(call: Call, path: str) -> Result:
    """``GET /projects/:id/repository/files/:path/raw``."""
    return Answer(_file(call, path)[2].decode(errors="replace"))


def tree(call: Call) -> Result:
    """``GET /projects/:id/repository/tree``."""
    sha = _sha(call, call.text("ref") or call.repo.default_branch, "Tree")
    entries = gitread.tree(call.state.git(call.repo), sha, (call.text("path") or "").strip("/"))
    if entries is None:
        raise Declined(404, "404 invalid revision or path Not Found")
    return Page(
        entries,
        lambda e: {
            "id": e.sha,
            "name": e.path.rpartition("/")[2],
            "type": e.kind,
            "path": e.path,
            "mode": e.mode,
        },
    )


ROUTES = (
    Route("GET", "projects/<id>/repository/commits", list_commits),
    Route("GET", "projects/<id>/repository/commits/<sha>", get_commit),
    Route("GET", "projects/<id>/repository/commits/<sha>/diff", commit_diff),
    Route("GET", "projects/<id>/repository/commits/<sha>/refs", commit_refs),
    Route("GET", "projects/<id>/repository/commits/<sha>/merge_requests", commit_merge_requests),
    Route("GET", "projects/<id>/repository/merge_base", merge_base),
    Route("GET", "projects/<id>/repository/compare", compare),
    Route("GET", "projects/<id>/repository/files/<path>", get_file),
    Route("GET", "projects/<id>/repository/files/<path>/raw", get_raw),
    Route("GET", "projects/<id>/repository/tree", tree),
)
