"""Everything the host knows, under one lock: people, teams, repositories, tokens, and who may do what."""

from __future__ import annotations

import hmac
import itertools
import secrets
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bot.forge.gitstore import GitStore
from bot.forge.happening import Happening
from bot.forge.model import (
    Account,
    AccountKind,
    Actor,
    App,
    Hook,
    Installation,
    Label,
    Refusal,
    Refused,
    Repo,
    Role,
    Team,
)
from bot.forge.trouble import Trouble

Clock = Callable[[], datetime]


class Audience(Protocol):
    """Whoever hears what happened; called under the lock, so it must only take note."""

    def hear(self, happening: Happening) -> None:
        """Take note of one happening."""


def ancestors(path: str) -> list[str]:
    """A path and the paths above it, the nearest first."""
    parts = path.split("/")
    return ["/".join(parts[:size]) for size in range(len(parts), 0, -1)]


def utc_now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


class State:
    """The memory of the host. Callers hold ``lock`` for whatever they read or change."""

    def __init__(self, data_dir: Path, clock: Clock = utc_now) -> None:
        self.lock = threading.RLock()
        self.data_dir = data_dir
        self.trouble = Trouble()
        self.admins: set[str] = set()
        self.paid = True
        """Whether the host sells what costs: rules that name people or want approvals, hooks of groups, trains."""
        self.moved: dict[str, str] = {}
        self.shared_hooks: dict[str, dict[int, Hook]] = {}
        """Hooks of groups by path, and of the whole instance at the empty one."""
        self.root = "http://forge.invalid"
        self.face = "github"
        self.enterprise = ""
        """The version of a GitHub Enterprise Server; empty where it is none."""
        self.accounts: dict[str, Account] = {}
        self.tokens: dict[str, Actor] = {}
        self.members: dict[str, dict[str, str]] = {}
        self.teams: dict[tuple[str, str], Team] = {}
        self.repos: dict[str, Repo] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.token_expiry: dict[str, datetime] = {}
        self.audiences: list[Audience] = []
        self.version = 0
        self.patience: Callable[[], None] | None = None
        self._clock = clock
        self._ids: Iterator[int] = itertools.count(1001)

    def now(self) -> datetime:
        """The time, to the second as hosts tell it."""
        return self._clock().astimezone(UTC).replace(microsecond=0)

    def new_id(self) -> int:
        """An id larger than every id given before."""
        return next(self._ids)

    def tell(self, happening: Happening) -> None:
        """Let everybody know, in the order in which things happened."""
        self.version += 1
        for audience in self.audiences:
            audience.hear(happening)

    def settle_waiting(self) -> None:
        """Let merges happen that were ordered for the moment in which nothing stands against them."""
        if self.patience is not None:
            self.patience()

    # people

    def add_account(self, login: str, kind: AccountKind, name: str = "") -> Account:
        """Add a person, bot or organization. Raises Refused when the login is taken."""
        if login.lower() in {known.lower() for known in self.accounts}:
            raise Refused(f"login {login} is already taken")
        account = Account(self.new_id(), login, name or login, kind, self.now())
        self.accounts[login] = account
        return account

    def account(self, login: str) -> Account:
        """Somebody by login, in any case of letters. Raises Refused when nobody is called so."""
        found = self.accounts.get(login)
        if found is None:
            found = next((known for name, known in self.accounts.items() if name.lower() == login.lower()), None)
        if found is None:
            raise Refused("Not Found", Refusal.NOT_FOUND)
        return found

    def issue_token(self, actor: Actor, token: str | None = None, expires: datetime | None = None) -> str:
        """Let a token stand for an actor."""
        text = token or f"forge_{secrets.token_hex(20)}"
        self.tokens[text] = actor
        if expires is not None:
            self.token_expiry[text] = expires
        return text

    def actor_of(self, token: str) -> Actor | None:
        """Who a token stands for; None for unknown and expired ones."""
        found: Actor | None = None
        for known, actor in self.tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                expires = self.token_expiry.get(known)
                found = actor if expires is None or expires > self.now() else None
        return found

    def add_team(self, org: str, slug: str, members: set[str], name: str = "", parent: str | None = None) -> Team:
        """Add a team to an organization, and its people to the organization."""
        for login in members:
            self.members[org].setdefault(self.account(login).login, "member")
        team = Team(self.new_id(), org, slug, name or slug, parent, set(members))
        self.teams[(org, slug)] = team
        return team

    def team(self, org: str, slug: str) -> Team:
        """A team by slug. Raises Refused when there is none."""
        found = self.teams.get((self.account(org).login, slug))
        if found is None:
            raise Refused("Not Found", Refusal.NOT_FOUND)
        return found

    def team_members(self, team: Team) -> set[str]:
        """The members of a team and of the teams below it."""
        below = [t for t in self.teams.values() if t.org == team.org and t.parent == team.slug]
        return team.members.union(*(self.team_members(child) for child in below))

    # repositories

    def repo(self, full_name: str) -> Repo:
        """A repository by full name, in any case of letters. Raises Refused when there is none."""
        full_name = self.moved.get(full_name, full_name)
        found = self.repos.get(full_name)
        if found is None:
            lower = full_name.lower()
            found = next((repo for name, repo in self.repos.items() if name.lower() == lower), None)
        if found is None:
            raise Refused("Not Found", Refusal.NOT_FOUND)
        return found

    def hooks_of(self, repo: Repo) -> list[Hook]:
        """The hooks that hear of a repository: its own, those of the groups above it, of the instance, and of the
        applications that are installed there."""
        above = [hook for path in [*ancestors(repo.owner), ""] for hook in self.shared_hooks.get(path, {}).values()]
        apps = [app.hook for app in self.apps.values() if app.hook is not None and self._hears(app, repo)]
        return [*repo.hooks.values(), *above, *apps]

    def _hears(self, app: App, repo: Repo) -> bool:
        """A suspended application hears nothing of what happens in its repositories."""
        mine = (each for each in self.installations.values() if each.app_id == app.id)
        return any(each.covers(repo) and each.suspended_at is None for each in mine)

    def git(self, repo: Repo) -> GitStore:
        """The git data of a repository."""
        return GitStore(repo.path)

    def label(self, repo: Repo, name: str) -> Label:
        """A label by name, made when it is new."""
        if name not in repo.labels:
            repo.labels[name] = Label(self.new_id(), name)
        return repo.labels[name]

    def next_number(self, repo: Repo) -> int:
        """The next number shared by issues and pull requests."""
        return max(repo.issues, default=0) + 1

    # authority

    def role(self, repo: Repo, actor: Actor) -> Role:
        """What an actor may do in a repository."""
        if actor.installation_id is not None:
            return self._installation_role(repo, self.installations[actor.installation_id])
        given = self._given(repo, actor)
        return given if repo.private else max(given, Role.READ)

    def _given(self, repo: Repo, actor: Actor) -> Role:
        """What somebody gave an actor, whatever everybody may do."""
        login = actor.login
        best = repo.roles.get(login, Role.NONE)
        for group in ancestors(repo.owner):
            best = max(best, self.member_role(group, login))
        if login == repo.owner:
            best = Role.ADMIN
        for slug, role in repo.team_roles.items():
            team = self.teams.get((repo.owner, slug))
            if team is not None and login in self.team_members(team):
                best = max(best, role)
        for path, role in repo.group_roles.items():
            held = max(self.member_role(group, login) for group in ancestors(path))
            best = max(best, min(role, held))
        return best

    def member_role(self, group: str, login: str) -> Role:
        """What a direct membership of one group is worth in its repositories; a plain ``member`` gets nothing."""
        word = self.members.get(group, {}).get(login, "none")
        return Role.NONE if word == "member" else Role[word.upper()]

    def _installation_role(self, repo: Repo, installation: Installation) -> Role:
        if not installation.covers(repo):
            return Role.NONE if repo.private else Role.READ
        granted = self.apps[installation.app_id].permissions
        if granted.get("administration") == "write":
            return Role.ADMIN
        return Role.WRITE if "write" in granted.values() else Role.READ

    def require(self, repo: Repo, actor: Actor, role: Role) -> None:
        """Raise Refused unless the actor has at least the role; who may not even read learns nothing."""
        self.require_admission(actor)
        held = self.role(repo, actor)
        if held < Role.READ:
            raise Refused("Not Found", Refusal.NOT_FOUND)
        if held < role:
            raise Refused(f"{actor.login} needs the {role.word} role on {repo.full_name}", Refusal.FORBIDDEN)

    def require_admission(self, actor: Actor) -> None:
        """Raise Refused for an application that was suspended, whatever it asks for."""
        if actor.installation_id is not None and self.installations[actor.installation_id].suspended_at is not None:
            raise Refused("This installation has been suspended", Refusal.FORBIDDEN)

    def visible(self, actor: Actor) -> list[Repo]:
        """The repositories an actor may read, oldest first."""
        return [repo for repo in self.repos.values() if self.role(repo, actor) >= Role.READ]

    def joined(self, actor: Actor) -> list[Repo]:
        """Of them those where the actor is more than a passer-by: somebody gave it a role."""
        return [repo for repo in self.repos.values() if self._given(repo, actor) >= Role.READ]
