"""Handles with which tests and the demo tell a story: who did what to which repository or pull request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.forge import courier, pulls, reports, repos
from bot.forge import gitread as history
from bot.forge.faces import FACES
from bot.forge.gitlab.trains import Train
from bot.forge.gitstore import CommitInfo
from bot.forge.merge_queue import MergeQueue
from bot.forge.model import Access, Actor, ApprovalRule, Hook, Protection, Repo, RequiredCheck, Role, Settings
from bot.forge.pull_story import PullStory
from bot.forge.pushes import push
from bot.forge.report_model import Activity, Deployment, Status
from bot.forge.rules import newest_statuses
from bot.forge.state import State


@dataclass(frozen=True, slots=True)
class SampleChange:
    """Something a viewer can push with one click: a title, and what it writes (None deletes)."""

    title: str
    branch: str
    files: Callable[[dict[str, str]], dict[str, str | None]]
    body: str = ""


class RepoStory:
    """A repository as a story sees it. Everything that acts names who acts and raises Refused like the host."""

    def __init__(self, state: State, repo: Repo) -> None:
        self._state = state
        self._repo = repo

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return self._repo.full_name

    @property
    def url(self) -> str:
        """The page of the repository."""
        return f"{self._state.root}/{self.full_name}"

    @property
    def clone_url(self) -> str:
        """Where git clones from."""
        return f"{self.url}.git"

    # git

    def commit(
        self,
        branch: str,
        files: repos.Files,
        author: str,
        message: str = "Change",
        parent: str | None = None,
        pusher: str | None = None,
        force: bool = False,
    ) -> str:
        """Commit files (None deletes) and push as ``pusher`` (else the author); a new branch starts at default."""
        actor = Actor(pusher or author)
        with self._state.lock:
            return repos.commit(self._state, self._repo, actor, branch, files, message, parent, author, force)

    def push(self, branch: str, sha: str, by: str, force: bool = False) -> None:
        """Move or make a branch, as a push of a commit the repository has."""
        with self._state.lock:
            push(self._state, self._repo, Actor(by), f"refs/heads/{branch}", sha, force)

    def force_push(self, branch: str, files: repos.Files, by: str, parent: str, message: str = "Rewrite") -> str:
        """Put a new commit on ``parent`` and rewrite the branch to it."""
        return self.commit(branch, files, by, message, parent=parent, force=True)

    def delete_branch(self, branch: str, by: str) -> None:
        """Delete a branch."""
        with self._state.lock:
            repos.delete_branch(self._state, self._repo, Actor(by), branch)

    def sha(self, name: str = "main") -> str:
        """The commit a branch or tag stands at. Raises Refused when there is none."""
        with self._state.lock:
            return reports.commit_of(self._state, self._repo, name)

    def read(self, path: str, ref: str = "main") -> str | None:
        """A file's text at a ref; None when it is not there."""
        with self._state.lock:
            git = self._state.git(self._repo)
            entry = history.entry(git, self.sha(ref), path)
            return history.blob(git, entry.sha).decode() if entry is not None else None

    def log(self, ref: str = "main") -> list[CommitInfo]:
        """The commits of a ref, newest first."""
        with self._state.lock:
            return history.commits(self._state.git(self._repo), self.sha(ref))

    # rules and people

    def archive(self) -> None:
        """Nothing is to happen here any more; that it is refused is not imitated."""
        with self._state.lock:
            self._repo.archived = True

    def grant(self, who: str, role: str) -> None:
        """Give a person or ``org/team`` a role: read, triage, write, maintain, admin, none."""
        with self._state.lock:
            repos.grant(self._state, self._repo, who, Role[role.upper()])

    def protect(
        self,
        branch: str = "main",
        checks: tuple[str | RequiredCheck, ...] = (),
        approvals: int | None = None,
        enforce_admins: bool = False,
        strict: bool = False,
        dismiss_stale: bool = False,
        allow_force_pushes: bool = False,
        merge_by: tuple[str, ...] | None = None,
        push_by: tuple[str, ...] | None = None,
    ) -> None:
        """Set the rules of a branch, in place of whatever was there.

        ``checks`` bind where a host can require them by name; ``merge_by`` and ``push_by`` name the only people who
        may merge or push at all.
        """
        required = tuple(RequiredCheck(check) if isinstance(check, str) else check for check in checks)
        rule = Protection(
            checks=required or None,
            strict=strict,
            approvals=approvals,
            dismiss_stale=dismiss_stale,
            enforce_admins=enforce_admins,
            allow_force_pushes=allow_force_pushes,
            merge=Access(None, frozenset(merge_by)) if merge_by is not None else None,
            push=Access(None, frozenset(push_by)) if push_by is not None else None,
        )
        with self._state.lock:
            self._repo.protections[branch] = rule
            self._state.version += 1

    def unprotect(self, branch: str = "main") -> None:
        """Take the rules of a branch away."""
        with self._state.lock:
            self._repo.protections.pop(branch, None)

    def protection(self, branch: str = "main") -> Protection | None:
        """The rules of a branch."""
        with self._state.lock:
            return self._repo.protections.get(branch)

    @property
    def settings(self) -> Settings:
        """How it wants its merges, where a host has that per repository; may be changed in place."""
        return self._repo.settings

    def add_approval_rule(
        self, name: str, needed: int, people: tuple[str, ...] = (), groups: tuple[str, ...] = ()
    ) -> None:
        """Want approvals of certain people or groups, where a host has that per repository."""
        with self._state.lock:
            rule = ApprovalRule(self._state.new_id(), name, needed, set(people), set(groups))
            self._repo.approval_rules[rule.id] = rule
            self._state.version += 1

    def move(self, full_name: str, by: str = "") -> None:
        """Rename it, or hand it to another owner; its old name leads to it."""
        with self._state.lock:
            repos.move(self._state, self._repo, full_name, by or self._repo.owner)

    def fork(self, by: str, name: str | None = None) -> RepoStory:
        """Copy the repository under somebody's name."""
        with self._state.lock:
            return RepoStory(self._state, repos.fork(self._state, self._repo, Actor(by), name))

    def add_hook(self, url: str, secret: str = "", events: tuple[str, ...] | None = None, signing: str = "") -> Hook:
        """Register a webhook for every event that matters, or those named, as the owner would.

        ``signing`` is the token of the signed form, for faces that have one.
        """
        face, owner = FACES[self._state.face], Actor(self._repo.owner)
        with self._state.lock:
            wanted = events if events is not None else face.events
            made = courier.add_hook(self._state, self._repo, owner, url, secret, wanted, face=face.name)
            made.signing_token = signing
            return made

    # pull requests and reports

    def open_pull(
        self, title: str, head: str, author: str, base: str = "main", body: str = "", draft: bool = False
    ) -> PullStory:
        """Open a pull request; ``head`` is a branch, or ``owner:branch`` of a fork."""
        wish = pulls.Opening(title, head, base, body, draft)
        with self._state.lock:
            return PullStory(self._state, self._repo, pulls.open_pull(self._state, self._repo, Actor(author), wish))

    def merge_queue(self) -> MergeQueue:
        """A queue through which changes land from now on, for who puts them there."""
        return MergeQueue(self._state, self._repo)

    def train(self, branch: str = "main") -> list[int]:
        """Which changes are on the merge train of a branch, in their order."""
        with self._state.lock:
            return [entry.pull.number for entry in Train(self._state, self._repo, branch).entries]

    def pull(self, number: int) -> PullStory:
        """A pull request by number. Raises Refused when there is none."""
        with self._state.lock:
            return PullStory(self._state, self._repo, pulls.find_pull(self._repo, number))

    def pulls(self) -> list[PullStory]:
        """Every pull request, oldest first."""
        with self._state.lock:
            return [PullStory(self._state, self._repo, pull) for pull in self._repo.pulls]

    def set_status(
        self, sha: str, context: str, state: str, by: str, description: str = "", url: str | None = None
    ) -> Status:
        """Report on a commit as somebody with the right to write."""
        with self._state.lock:
            say = FACES[self._state.face].report
            return say(self._state, self._repo, Actor(by), sha, context, state, description, url)

    def statuses(self, sha: str) -> dict[str, Status]:
        """The newest status of each context of a commit."""
        with self._state.lock:
            return {status.context: status for status in newest_statuses(self._repo, sha)}

    def all_statuses(self, sha: str) -> list[Status]:
        """Every status of a commit, oldest first."""
        with self._state.lock:
            return [status for status in self._repo.statuses if status.sha == sha]

    def deployments(self) -> list[Deployment]:
        """Every deployment, oldest first, with its statuses."""
        with self._state.lock:
            return [replace(item, statuses=list(item.statuses)) for item in self._repo.deployments.values()]

    def activity(self) -> list[Activity]:
        """Every movement of a ref, oldest first, and who moved it."""
        with self._state.lock:
            return list(self._repo.activity)
