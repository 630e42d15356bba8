"""Commits, comparisons, refs and the contents of files."""

from __future__ import annotations

from bot.forge import gitread
from bot.forge.github.call import Call, Page, Result, Route
from bot.forge.github.shapes import commit as shapes
from bot.forge.github.shapes.pull import pull_simple
from bot.forge.model import Pull, Refusal, Refused, Role
from bot.forge.pulls import pull_commits
from bot.forge.reports import commit_of


def get_commit(call: Call, ref: str) -> Result:
    """``GET /repos/{owner}/{name}/commits/{ref}``."""
    return shapes.commit_with_files(call.state, call.repo, commit_of(call.state, call.repo, ref))


def list_commits(call: Call) -> Result:
    """``GET /repos/{owner}/{name}/commits``."""
    start = commit_of(call.state, call.repo, call.query.get("sha") or call.repo.default_branch)
    words = [f"--since={call.query['since']}"] if call.query.get("since") else []
    words += [f"--until={call.query['until']}"] if call.query.get("until") else []
    found = gitread.commits(call.state.git(call.repo), *words, start)
    return Page(found, lambda info: shapes.commit_info(call.state, call.repo, info))


def commit_pulls(call: Call, ref: str) -> Result:
    """``GET /repos/{owner}/{name}/commits/{ref}/pulls``."""
    sha = commit_of(call.state, call.repo, ref)
    found = [pull for pull in call.repo.pulls if sha in (pull.head_sha, pull.merge_sha) or _brought(call, pull, sha)]
    return Page(found, lambda pull: pull_simple(call.state, call.repo, pull))


def _brought(call: Call, pull: Pull, sha: str) -> bool:
    """Whether it is one of the change's commits, or of those that its merge made of them."""
    landed = f"{pull.base_sha}..{pull.merge_sha}" if pull.merged_at is not None else ""
    made = gitread.commits(call.state.git(call.repo), landed) if landed else []
    return any(info.sha == sha for info in (*pull_commits(call.state, call.repo, pull), *made))


def compare(call: Call, span: str) -> Result:
    """``GET /repos/{owner}/{name}/compare/{span}``."""
    base, dots, head = span.partition("...")
    if not dots:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    names = (name.partition(":")[2] or name for name in (base, head))
    old, new = (call.state.git(call.repo).resolve(name) for name in names)
    if old is None or new is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return shapes.comparison(call.state, call.repo, old, new)


def get_contents(call: Call, path: str = "") -> Result:
    """``GET /repos/{owner}/{name}/contents/``."""
    ref = call.query.get("ref") or call.repo.default_branch
    git = call.state.git(call.repo)
    sha = git.resolve(ref)
    if sha is None:
        raise Refused(f"No commit found for the ref {ref}", Refusal.NOT_FOUND)
    path = path.strip("/")
    listing = gitread.tree(git, sha, path)
    if listing is not None:
        return [shapes.content(call.state, call.repo, ref, entry, None) for entry in listing]
    found = gitread.entry(git, sha, path)
    if found is None or found.kind != "blob":
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return shapes.content(call.state, call.repo, ref, found, gitread.blob(git, found.sha))


def get_git_commit(call: Call, sha: str) -> Result:
    """``GET /repos/{owner}/{name}/git/commits/{sha}``."""
    return shapes.git_commit(call.state, call.repo, commit_of(call.state, call.repo, sha))


def get_git_ref(call: Call, ref: str) -> Result:
    """``GET /repos/{owner}/{name}/git/ref/{ref}``."""
    full = f"refs/{ref}"
    sha = call.state.git(call.repo).refs(full).get(full)
    if sha is None:
        raise Refused("Not Found", Refusal.NOT_FOUND)
    return shapes.git_ref(call.state, call.repo, full, sha)


def matching_refs(call: Call, ref: str) -> Result:
    """``GET /repos/{owner}/{name}/git/matching-refs/{ref}``."""
    everything = call.state.git(call.repo).refs("refs")
    found = [(name, sha) for name, sha in everything.items() if name.startswith(f"refs/{ref}")]
    return Page(found, lambda pair: shapes.git_ref(call.state, call.repo, *pair))


_REPO = "/repos/<owner>/<name>"
ROUTES = (
    Route("GET", f"{_REPO}/commits", list_commits, Role.READ),
    Route("GET", f"{_REPO}/commits/<path:ref>", get_commit, Role.READ),
    Route("GET", f"{_REPO}/commits/<path:ref>/pulls", commit_pulls, Role.READ),
    Route("GET", f"{_REPO}/compare/<path:span>", compare, Role.READ),
    Route("GET", f"{_REPO}/contents/", get_contents, Role.READ),
    Route("GET", f"{_REPO}/contents", get_contents, Role.READ),
    Route("GET", f"{_REPO}/contents/<path:path>", get_contents, Role.READ),
    Route("GET", f"{_REPO}/git/commits/<sha>", get_git_commit, Role.READ),
    Route("GET", f"{_REPO}/git/ref/<path:ref>", get_git_ref, Role.READ),
    Route("GET", f"{_REPO}/git/matching-refs/<path:ref>", matching_refs, Role.READ),
)
