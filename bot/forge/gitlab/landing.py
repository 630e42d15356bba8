"""How a project's merge requests land: by which method, and what becomes of their branches."""

from __future__ import annotations

from bot.forge import merging, repos
from bot.forge.model import Actor, MergeMethod, Pull, Repo
from bot.forge.state import State


def wish_for(repo: Repo, pull: Pull, message: str | None = None) -> merging.MergeWish:
    """How this project merges this change."""
    whole = f"{pull.title}\n\nSee merge request {repo.full_name}!{pull.number}"
    usual = pull.title if pull.squash else f"Merge branch '{pull.head_ref}' into '{pull.base_ref}'\n\n{whole}"
    first, _, rest = (message or usual).partition("\n")
    method = MergeMethod.SQUASH if pull.squash else repo.settings.method
    joined = pull.squash and repo.settings.method is MergeMethod.MERGE
    return merging.MergeWish(method, pull.head_sha, first, rest.strip() or None, joined=joined)


def tidy(state: State, repo: Repo, actor: Actor, pull: Pull) -> None:
    """Delete the source branch of what has landed, where that was wanted."""
    if (pull.remove_source or repo.settings.remove_source) and pull.head_repo == repo.full_name:
        repos.delete_branch(state, repo, actor, pull.head_ref)
