"""Repositories come to be here: created with files, forked, and committed to on somebody's behalf."""

from __future__ import annotations

from collections.abc import Mapping

from bot.forge.gitstore import ZERO, Signature
from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Refusal, Refused, Repo, Role
from bot.forge.pushes import push
from bot.forge.state import State

Files = Mapping[str, str | bytes | None]


def signature(state: State, login: str) -> Signature:
    """How an account signs a commit made now."""
    account = state.account(login)
    return Signature(account.name, account.email, state.now())


def create_repo(
    state: State, full_name: str, files: Files, permissions: Mapping[str, Role], default_branch: str = "main"
) -> Repo:
    """Make a repository; with files it has a first commit. Raises Refused when the name is taken."""
    owner, _, name = full_name.rpartition("/")
    if full_name in state.repos:
        raise Refused(f"name {full_name} already exists on this account")
    now = state.now()
    number, path = state.new_id(), state.data_dir / owner / f"{name}.git"
    if path.exists():  # it is still the data's of a repository that had this name
        path = path.with_name(f"{name}-{number}.git")
    state.moved.pop(full_name, None)
    repo = Repo(number, state.account(owner).login, name, path, default_branch, now, now)
    for who, role in permissions.items():
        grant(state, repo, who, role)
    state.git(repo).create(default_branch)
    state.repos[full_name] = repo
    if files:
        git = state.git(repo)
        author = next((who for who in permissions if who in state.accounts), repo.owner)
        first = git.write_commit((), files, "Initial commit", signature(state, author))
        git.set_ref(f"refs/heads/{default_branch}", first)
    return repo


def grant(state: State, repo: Repo, who: str, role: Role) -> None:
    """Give a person, or a team written as ``org/slug``, a role in a repository."""
    if "/" in who:
        org, slug = who.split("/", 1)
        repo.team_roles[state.team(org, slug).slug] = role
    else:
        repo.roles[state.account(who).login] = role


def fork(state: State, repo: Repo, actor: Actor, name: str | None = None) -> Repo:
    """Copy a repository under the actor's name. Raises Refused when the copy exists."""
    state.require(repo, actor, Role.READ)
    full_name = f"{actor.login}/{name or repo.name}"
    if full_name in state.repos:
        raise Refused(f"name {full_name} already exists on this account")
    now = state.now()
    path = state.data_dir / actor.login / f"{name or repo.name}.git"
    copy = Repo(state.new_id(), actor.login, name or repo.name, path, repo.default_branch, now, now)
    copy.parent, copy.private = repo.full_name, repo.private
    state.git(copy).copy_from(state.git(repo))
    state.repos[full_name] = copy
    return copy


def commit(
    state: State,
    repo: Repo,
    actor: Actor,
    branch: str,
    files: Files,
    message: str,
    parent: str | None = None,
    author: str | None = None,
    force: bool = False,
) -> str:
    """Commit files onto a branch (made from the default branch when new) and push it as the actor."""
    state.require(repo, actor, Role.WRITE)
    git = state.git(repo)
    tip = git.resolve(parent) if parent is not None else _start(state, repo, branch)
    if parent is not None and tip is None:
        raise Refused(f"no commit is called {parent}", Refusal.NOT_FOUND)
    sha = git.write_commit((tip,) if tip else (), files, message, signature(state, author or actor.login))
    push(state, repo, actor, f"refs/heads/{branch}", sha, force=force)
    return sha


def _start(state: State, repo: Repo, branch: str) -> str | None:
    heads = state.git(repo).refs("refs/heads")
    return heads.get(f"refs/heads/{branch}") or heads.get(f"refs/heads/{repo.default_branch}")


def delete_branch(state: State, repo: Repo, actor: Actor, branch: str) -> None:
    """Delete a branch as a push by the actor. Raises Refused when there is none or its rules forbid it."""
    ref = f"refs/heads/{branch}"
    if ref not in state.git(repo).refs(ref):
        raise Refused("Reference does not exist")
    push(state, repo, actor, ref, ZERO)


def invite(state: State, repo: Repo, path: str, role: Role) -> None:
    """Let a group or team take part in a repository, its people limited to the role."""
    if state.teams.get((repo.owner, path.rpartition("/")[2])) and path.rpartition("/")[0] == repo.owner:
        grant(state, repo, path, role)
    else:
        repo.group_roles[path] = role
    state.version += 1


def move(state: State, repo: Repo, full_name: str, by: str) -> None:
    """Rename a repository or hand it to another owner; its old name leads to it. Raises Refused when taken."""
    if full_name in state.repos:
        raise Refused(f"name {full_name} already exists on this account")
    old, old_owner = repo.full_name, repo.owner
    owner, _, name = full_name.rpartition("/")
    repo.owner, repo.name = state.account(owner).login, name
    state.repos[full_name] = state.repos.pop(old)
    state.moved = {was: full_name if now == old else now for was, now in state.moved.items()} | {old: full_name}
    state.moved.pop(full_name, None)
    for hook in repo.hooks.values():
        hook.repo = full_name
    for other in state.repos.values():
        other.parent = full_name if other.parent == old else other.parent
        for pull in other.pulls:
            pull.head_repo = full_name if pull.head_repo == old else pull.head_repo
    for each in state.installations.values():
        if each.repositories is not None and old in each.repositories:
            each.repositories = each.repositories - {old} | ({full_name} if each.account == repo.owner else set())
    action = "renamed" if repo.owner == old_owner else "transferred"
    state.tell(Happening(Topic.REPOSITORY, action, repo, Actor(by), repo, {"old": old}))
