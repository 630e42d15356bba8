"""GitLab as a Git host: the port's roles put together from their parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from bot.core.events import Delivery, GateAsked, Hint
from bot.core.model import ChangeRef, Home, HostFacts, Permission, RepoRef
from bot.hosts.gitlab.client import Client
from bot.hosts.gitlab.doctor import Doctor
from bot.hosts.gitlab.inbox import Webhooks
from bot.hosts.gitlab.merging import Merging
from bot.hosts.gitlab.reads import Reads
from bot.hosts.gitlab.reports import COMMENT_LIMIT, Reports
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.gitlab.setup import Setup
from bot.hosts.gitlab.status_checks import StatusChecks
from bot.hosts.naming import told
from bot.hosts.setup import Finding, SetupStep, Wanted
from bot.ports import Budget, Capabilities, ChangeStub, CheckToSet, MergeOutcome


class GitLab:
    """Implements the port ``Host``. ``clock`` gives seconds, by which what was asked grows old."""

    def __init__(self, settings: GitLabSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._client = Client(settings.url, settings.token, settings.verify_tls, clock)
        self._webhooks = Webhooks(settings)
        self._reads = Reads(self._client, settings, clock)
        self._status_checks = StatusChecks(self._reads, settings, clock)
        self._reports = Reports(self._reads, self._status_checks, clock)
        self._merging = Merging(self._reads)
        self._setup = Setup(settings, self._reads)

    # -------------------------------------------------------------------------------------------- inbox

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify and wrap a webhook. Raises SignatureError, MalformedDelivery."""
        return self._webhooks.receive(headers, body, at)

    def decode(self, delivery: Delivery) -> tuple[Hint, ...]:
        """What it hints at; never raises, and asks the host nothing."""
        hints = self._webhooks.decode(delivery, self._reads.known_login())
        for hint in hints:
            if isinstance(hint, GateAsked):
                self._status_checks.heard(hint.ref.repo, int(hint.by))
        return hints

    def about(self, delivery: Delivery) -> Home | None:
        """Which repository it is of."""
        return told(delivery.host, delivery.body, "project", "path_with_namespace")

    # -------------------------------------------------------------------------------------------- reads

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """All facts of a change."""
        return self._reads.change(ref, known=known, checks=checks)

    def permission(self, repo: RepoRef, login: str) -> Permission:
        """Asked once in five minutes; NONE for who is not there."""
        return self._reads.permission(repo, login)

    def members(self, group: str) -> frozenset[str] | None:
        """Who is in a group or subgroup, also by the groups above."""
        return self._reads.people.groups.members(group)

    def people(self, repo: RepoRef) -> Mapping[str, Permission]:
        """Members by whatever way, as far as our account may list them; empty when it may not."""
        return self._reads.people.members(self._reads.at(repo))

    def repositories(self) -> tuple[RepoRef, ...]:
        """Those that our account was given a part in."""
        return self._reads.repositories()

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open ones, and of the others those updated lately; newest first."""
        return self._reads.moved_changes(repo, since)

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """Merged merge requests that brought the commit."""
        return self._reads.changes_of_commit(repo, sha)

    def home(self, repo: RepoRef) -> Home | None:
        """Where it is now what was asked for by a name; None where that is not told."""
        return self._reads.home(repo)

    def default_branch(self, repo: RepoRef) -> str:
        """The project's default branch."""
        return self._reads.default_branch(repo)

    def clone_url(self, repo: RepoRef) -> str:
        """Without credentials."""
        return f"{self._settings.url}/{repo.path}.git"

    def change_name(self, number: int) -> str:
        """https://docs.gitlab.com/user/project/merge_requests/versions/"""
        return f"refs/merge-requests/{number}/head"

    def git_credentials(self, repo: RepoRef) -> tuple[str, str] | None:  # noqa: ARG002 - one token for all
        """https://docs.gitlab.com/user/profile/personal_access_tokens/#clone-repository-using-personal-access-token"""
        return ("oauth2", self._client.token())

    def budget(self) -> Budget:
        """What the host last said is left of the minute."""
        return self._client.budget()

    def own_login(self) -> str:
        """Our own login."""
        return self._reads.own_login()

    def calls(self) -> Mapping[tuple[str, str], int]:
        """Calls made by this process, by (method, kind)."""
        return self._client.calls()

    # ------------------------------------------------------------------------------------------- writes

    def capabilities(self) -> Capabilities:
        """What GitLab can do, on any tier."""
        return Capabilities(
            COMMENT_LIMIT,
            review_has_sha=False,
            required_by_name=False,
            rich_checks=False,
            slash_commands=False,
            mark="!",
            line="merge train",
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
        """Merge if the head still is ``head_sha``; where the project has merge trains, by way of one."""
        return self._merging.merge(ref, head_sha, method, message)

    def leave_line(self, ref: ChangeRef) -> None:
        """Take it off its merge train."""
        self._merging.leave_line(ref)

    def set_deployment(
        self, repo: RepoRef, deployment_id: str, sha: str, environment: str, state: str, url: str, description: str
    ) -> str:
        """Create a deployment, or set its state; GitLab keeps neither a link nor words of one."""
        del url, description
        return self._reports.set_deployment(repo, deployment_id, sha, environment, state)

    # ------------------------------------------------------------------------------------------- set-up

    def plan_setup(self, repo: RepoRef, wanted: Wanted) -> tuple[SetupStep, ...]:
        """Webhook and protected branches: what is to be done, and what is done already. Raises HostError."""
        return self._setup.plan(repo, wanted)

    def plan_group(self, group: str, url: str) -> tuple[SetupStep, ...]:
        """One webhook for all repositories of a group: what is to be done, or is done already. Raises HostError."""
        return self._setup.plan_group(group, url)

    def examine(self, repo: RepoRef, wanted: Wanted) -> tuple[Finding, ...]:
        """What stands in the way of working well there. Raises HostBusy at most."""
        return Doctor(self._settings, self._reads, self._setup, self._status_checks).examine(repo, wanted)
