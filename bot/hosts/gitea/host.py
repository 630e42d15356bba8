"""Gitea as a Git host, and Forgejo, which speaks the same: the port's roles put together from their parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from bot.core.errors import HostDenied
from bot.core.events import CommitTouched, Delivery, Hint
from bot.core.model import ChangeRef, Home, HostFacts, Permission, RepoRef
from bot.hosts.gitea.client import Client
from bot.hosts.gitea.doctor import Doctor
from bot.hosts.gitea.inbox import Webhooks
from bot.hosts.gitea.reads import Reads
from bot.hosts.gitea.reports import COMMENT_LIMIT, Reports
from bot.hosts.gitea.settings import GiteaSettings
from bot.hosts.gitea.setup import Setup
from bot.hosts.naming import told
from bot.hosts.setup import Finding, SetupStep, Wanted
from bot.ports import Budget, Capabilities, ChangeStub, CheckToSet, MergeOutcome


class Gitea:
    """Implements the port ``Host``. ``clock`` gives seconds, by which what was asked grows old."""

    def __init__(self, settings: GiteaSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._client = Client(settings.url, settings.token, settings.verify_tls, clock)
        self._webhooks = Webhooks(settings)
        self._reads = Reads(self._client, settings, clock)
        self._reports = Reports(self._reads, clock)
        self._setup = Setup(settings, self._reads)

    # -------------------------------------------------------------------------------------------- inbox

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify and wrap a webhook. Raises SignatureError, MalformedDelivery."""
        return self._webhooks.receive(headers, body, at)

    def decode(self, delivery: Delivery) -> tuple[Hint, ...]:
        """What it hints at; never raises, and asks the host nothing."""
        hints = self._webhooks.decode(delivery, self._reads.known_login())
        for hint in hints:
            if isinstance(hint, CommitTouched) and hint.name.startswith(self._settings.check_prefix):
                self._reports.foreign_hand(hint.repo, hint.sha, hint.name)
        return hints

    def about(self, delivery: Delivery) -> Home | None:
        """Which repository it is of."""
        return told(delivery.host, delivery.body, "repository", "full_name")

    # -------------------------------------------------------------------------------------------- reads

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """All facts of a change."""
        return self._reads.change(ref, known=known, checks=checks)

    def permission(self, repo: RepoRef, login: str) -> Permission:
        """Asked once in five minutes; HostDenied when our account does not administer the repository."""
        return self._reads.permission(repo, login)

    def members(self, group: str) -> frozenset[str] | None:
        """Who is in a team or organisation."""
        return self._reads.people.groups.members(group)

    def people(self, repo: RepoRef) -> Mapping[str, Permission]:
        """Who may write, as far as our account may ask; empty when it may not."""
        return self._reads.people.writers(self._reads.at(repo))

    def repositories(self) -> tuple[RepoRef, ...]:
        """Those that our account was given a part in."""
        return self._reads.repositories()

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open ones, and of the others those updated lately; newest first."""
        return self._reads.moved_changes(repo, since)

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """The merged change that brought the commit."""
        return self._reads.changes_of_commit(repo, sha)

    def home(self, repo: RepoRef) -> Home | None:
        """Where it is now what was asked for by a name; None where that is not told."""
        return self._reads.home(repo)

    def default_branch(self, repo: RepoRef) -> str:
        """The repository's default branch."""
        return self._reads.default_branch(repo)

    def clone_url(self, repo: RepoRef) -> str:
        """Without credentials."""
        return f"{self._settings.url}/{repo.path}.git"

    def change_name(self, number: int) -> str:
        """As GitHub names it."""
        return f"refs/pull/{number}/head"

    def git_credentials(self, repo: RepoRef) -> tuple[str, str] | None:  # noqa: ARG002 - one token for all
        """The token is the password, whatever the name: https://docs.gitea.com/development/api-usage"""
        return ("headgate", self._client.token())

    def budget(self) -> Budget:
        """Unknown: the server has no limit of its own, and a proxy in front of it tells none."""
        return Budget()

    def own_login(self) -> str:
        """Our own login."""
        return self._reads.own_login()

    def calls(self) -> Mapping[tuple[str, str], int]:
        """Calls made by this process, by (method, kind)."""
        return self._client.calls()

    # ------------------------------------------------------------------------------------------- writes

    def capabilities(self) -> Capabilities:
        """What the server can do."""
        return Capabilities(
            COMMENT_LIMIT, review_has_sha=True, required_by_name=True, rich_checks=False, deployments=False
        )

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Edit or create."""
        return self._reports.put_comment(ref, comment_id, body)

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None:
        """Delete one of ours."""
        self._reports.drop_comment(ref, comment_id)

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None:
        """A commit's status."""
        self._reports.set_check(repo, check)

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Merge if the head still is ``head_sha``."""
        return self._reports.merge(ref, head_sha, method, message)

    def set_deployment(
        self, repo: RepoRef, deployment_id: str, sha: str, environment: str, state: str, url: str, description: str
    ) -> str:
        """HostDenied: the server shows no deployments, the comment tells of them."""
        del deployment_id, sha, environment, state, url, description
        raise HostDenied(f"{repo.host} shows no deployments")

    # ------------------------------------------------------------------------------------------- set-up

    def plan_setup(self, repo: RepoRef, wanted: Wanted) -> tuple[SetupStep, ...]:
        """Webhook and required statuses: what is to be done, and what is done already. Raises HostError."""
        return self._setup.plan(repo, wanted)

    def plan_group(self, group: str, url: str) -> tuple[SetupStep, ...]:
        """One webhook for all repositories of a group: what is to be done, or is done already. Raises HostError."""
        return self._setup.plan_group(group, url)

    def examine(self, repo: RepoRef, wanted: Wanted) -> tuple[Finding, ...]:
        """What stands in the way of working well there. Raises HostBusy at most."""
        return Doctor(self._reads, self._setup, polled=self._settings.polled).examine(repo, wanted)
