"""Sample changes: what a viewer can open or push with one click, computed from the files as they are."""

from __future__ import annotations

from bot.forge import gitread, repos
from bot.forge.model import Actor, Pull, Refused, Repo
from bot.forge.pulls import Opening, open_pull
from bot.forge.state import State
from bot.forge.story import SampleChange

_FILE_LIMIT = 100_000


def open_sample(state: State, repo: Repo, actor: Actor, sample: SampleChange) -> Pull:
    """Push a sample to a branch of its own and open a pull request for it. Raises Refused like the host."""
    heads = state.git(repo).refs("refs/heads")
    number = next(n for n in range(1, len(heads) + 2) if f"refs/heads/{sample.branch}-{n}" not in heads)
    branch = f"{sample.branch}-{number}"
    _commit(state, repo, actor, branch, repo.default_branch, sample)
    return open_pull(state, repo, actor, Opening(sample.title, branch, repo.default_branch, sample.body))


def push_sample(state: State, actor: Actor, pull: Pull, sample: SampleChange) -> str:
    """Push a sample onto the head branch of a pull request. Raises Refused like the host."""
    if not pull.open:
        raise Refused("The pull request is closed.")
    source = state.repo(pull.head_repo)
    return _commit(state, source, actor, pull.head_ref, pull.head_ref, sample)


def _commit(state: State, repo: Repo, actor: Actor, branch: str, start: str, sample: SampleChange) -> str:
    files = sample.files(_texts(state, repo, start))
    if not files:
        raise Refused("This sample is already in place: it would change nothing.")
    return repos.commit(state, repo, actor, branch, files, sample.title)


def _texts(state: State, repo: Repo, ref: str) -> dict[str, str]:
    git = state.git(repo)
    found: dict[str, str] = {}
    folders = [""]
    while folders:
        for entry in gitread.tree(git, f"refs/heads/{ref}", folders.pop()) or ():
            if entry.kind == "tree":
                folders.append(entry.path)
            elif entry.kind == "blob" and entry.size <= _FILE_LIMIT:
                found[entry.path] = gitread.blob(git, entry.sha).decode(errors="replace")
    return found
