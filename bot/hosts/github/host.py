"""GitHub as a Git host: the roles of the port put together from their parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from bot.core.events import AccessChanged, CommitTouched, Delivery, Hint
from bot.core.model import ChangeRef, Home, HostFacts, Permission, RepoRef
from bot.hosts.github.account import Account
from bot.hosts.github.addresses import web_root
from bot.hosts.github.doctor import Doctor
from bot.hosts.github.hooks import HookPlaces
from bot.hosts.github.inbox import Webhooks
from bot.hosts.github.reads import Reads
from bot.hosts.github.redelivery import Redelivery
from bot.hosts.github.reports import Reports
from bot.hosts.github.rulesets import Rulesets
from bot.hosts.github.settings import GitHubSettings
from bot.hosts.github.setup import Setup
from bot.hosts.naming import told
from bot.hosts.setup import Finding, SetupStep, Wanted
from bot.ports import Budget, Capabilities, ChangeStub, CheckToSet, MergeOutcome

COMMENT_LIMIT: Final = 65536
"""Characters: https://docs.github.com/en/rest/issues/comments"""


class GitHub:
    """Implements the port ``Host``. ``clock`` gives seconds, by which what was asked grows old."""

    def __init__(self, settings: GitHubSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._account = Account(settings, clock)
        self._webhooks = Webhooks(settings, self._account.app_id)
        self._reads = Reads(self._account, settings, clock)
        self._reports = Reports(self._account, self._reads, clock)
        self._hooks = HookPlaces(self._account, self._reads)
        self._rulesets = Rulesets(self._account, self._reads)
        self._setup = Setup(settings, self._account, self._reads, self._hooks, self._rulesets)
        self._redelivery = Redelivery(self._account, self._hooks, clock)

    # -------------------------------------------------------------------------------------------- inbox

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify and wrap a webhook. Raises SignatureError, MalformedDelivery."""
        return self._webhooks.receive(headers, body, at)

    def decode(self, delivery: Delivery) -> tuple[Hint, ...]:
        """What it hints at; never raises, and asks the host nothing."""
        hints = self._webhooks.decode(delivery, self._account.known_login())
        for hint in hints:
            match hint:
                case CommitTouched(repo=repo, sha=sha, name=name) if name.startswith(self._settings.check_prefix):
                    self._reports.foreign_hand(repo, sha, name)
                case AccessChanged(owner=owner):
                    self._account.forget(owner)
                case _:
                    pass
        return hints

    def about(self, delivery: Delivery) -> Home | None:
        """Which repository it is of."""
        return told(delivery.host, delivery.body, "repository", "full_name")

    # -------------------------------------------------------------------------------------------- reads

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """All facts of a change."""
        return self._reads.change(ref, known=known, checks=checks)

    def permission(self, repo: RepoRef, login: str) -> Permission:
        """Asked once in five minutes."""
        return self._reads.permission(repo, login)

    def members(self, group: str) -> frozenset[str] | None:
        """Who is in a team or organisation."""
        return self._reads.groups.members(group)

    def people(self, repo: RepoRef) -> Mapping[str, Permission]:
        """Collaborators, as far as our account may list them; empty when it may not."""
        return self._reads.people(repo)

    def repositories(self) -> tuple[RepoRef, ...]:
        """Those that our account was given a part in; of an App those where it is installed."""
        return self._reads.repositories()

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open ones, and of the others those updated lately; newest first."""
        return self._reads.moved_changes(repo, since)

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """Merged pull requests that brought the commit."""
        return self._reads.changes_of_commit(repo, sha)

    def home(self, repo: RepoRef) -> Home | None:
        """Where it is now what was asked for by a name; None where that is not told."""
        return self._reads.home(repo)

    def default_branch(self, repo: RepoRef) -> str:
        """The repository's default branch."""
        return self._reads.default_branch(repo)

    def clone_url(self, repo: RepoRef) -> str:
        """Without credentials."""
        return f"{web_root(self._settings.api_url)}/{repo.path}.git"

    def change_name(self, number: int) -> str:
        """https://docs.github.com/en/pull-requests"""
        return f"refs/pull/{number}/head"

    def git_credentials(self, repo: RepoRef) -> tuple[str, str] | None:
        """https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app"""
        return ("x-access-token", self._account.password(repo.path))

    def budget(self) -> Budget:
        """The scarcest of our clients' budgets."""
        told = [budget for client in self._account.clients() if (budget := client.budget()).remaining is not None]
        return min(told, key=lambda budget: budget.remaining or 0, default=Budget())

    def own_login(self) -> str:
        """Our own login."""
        return self._account.own_login()

    def calls(self) -> Mapping[tuple[str, str], int]:
        """Calls made by this process, by (method, kind); those that cost nothing have the method ``304``."""
        total: dict[tuple[str, str], int] = {}
        for client in self._account.clients():
            for key, count in client.calls().items():
                total[key] = total.get(key, 0) + count
        return total

    # ------------------------------------------------------------------------------------------- writes

    def capabilities(self) -> Capabilities:
        """What GitHub can do, and an App more than a token."""
        return Capabilities(
            COMMENT_LIMIT, review_has_sha=True, required_by_name=True, rich_checks=self._account.is_app
        )

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Edit or create."""
        return self._reports.put_comment(ref, comment_id, body)

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None:
        """Delete one of ours."""
        self._reports.drop_comment(ref, comment_id)

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None:
        """A check run for an App, else a status."""
        self._reports.set_check(repo, check)

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Merge if the head still is ``head_sha``."""
        return self._reports.merge(ref, head_sha, method, message)

    def set_deployment(
        self, repo: RepoRef, deployment_id: str, sha: str, environment: str, state: str, url: str, description: str
    ) -> str:
        """Create a deployment, or set its state."""
        return self._reports.set_deployment(repo, deployment_id, sha, environment, state, url, description)

    # --------------------------------------------------------------------------------------- lost webhooks

    def logs(self, repos: Sequence[RepoRef]) -> tuple[RepoRef, ...]:
        """Repositories through which every log of webhooks is reached."""
        return self._redelivery.logs(repos)

    def redeliver(self, repo: RepoRef, url: str, now: datetime) -> int:
        """Have webhooks that nobody took handed over again."""
        return self._redelivery.again(repo, url, now)

    # ------------------------------------------------------------------------------------------- set-up

    def plan_setup(self, repo: RepoRef, wanted: Wanted) -> tuple[SetupStep, ...]:
        """Webhook and required checks: what is to be done, and what is done already. Raises HostError."""
        return self._setup.plan(repo, wanted)

    def plan_group(self, group: str, url: str) -> tuple[SetupStep, ...]:
        """One webhook for all repositories of a group: what is to be done, or is done already. Raises HostError."""
        return self._setup.plan_group(group, url)

    def examine(self, repo: RepoRef, wanted: Wanted) -> tuple[Finding, ...]:
        """What stands in the way of working well there. Raises HostBusy at most."""
        return Doctor(self._account, self._reads, self._rulesets, self._hooks).examine(repo, wanted)
