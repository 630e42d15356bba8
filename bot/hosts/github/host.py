"""GitHub as a Git host: the roles of the port put together from their parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from bot.core.errors import HostDenied, HostGone
from bot.core.events import Delivery, Hint
from bot.core.model import ChangeRef, Commit, HostFacts, Permission, RepoRef
from bot.core.rules import HostSettings, SecretRef
from bot.hosts.github import parse
from bot.hosts.github.account import Account
from bot.hosts.github.client import Client, iterate
from bot.hosts.github.inbox import Webhooks
from bot.hosts.github.reports import Reports
from bot.ports import Budget, Capabilities, ChangeStub, CheckToSet, MergeOutcome

MOST: Final = 3000
MOST_COMMITS: Final = 250
"""GitHub lists no more commits of a pull request:
https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request"""

PEOPLE_SECONDS: Final = 300.0


class GitHub:
    """Implements the port ``Host``."""

    def __init__(self, settings: HostSettings, secret: Callable[[SecretRef], str], instance: str) -> None:
        self._settings = settings
        self._account = Account(settings, secret)
        self._webhooks = Webhooks(settings.name, lambda: [secret(ref).strip() for ref in settings.webhook_secrets])
        self._reports = Reports(self._account, instance)
        self._people: dict[str, tuple[float, dict[str, Permission]]] = {}
        self._permissions: dict[tuple[str, str], tuple[float, Permission]] = {}

    @property
    def account(self) -> Account:
        """Who we are; for set-up and doctor."""
        return self._account

    def _client(self, repo: RepoRef) -> Client:
        return self._account.client(repo.path)

    # -------------------------------------------------------------------------------------------- inbox

    def receive(self, headers: Mapping[str, str], body: bytes, at: datetime) -> Delivery:
        """Verify and wrap a webhook."""
        return self._webhooks.receive(headers, body, at)

    def decode(self, delivery: Delivery) -> tuple[Hint, ...]:
        """What it hints at."""
        return self._webhooks.decode(delivery, self._account.own_login())

    # -------------------------------------------------------------------------------------------- reads

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """Four calls; commits only when the head moved, checks only when somebody needs them."""
        client, path = self._client(ref.repo), ref.repo.path
        change = parse.change(ref, client.get(f"/repos/{path}/pulls/{ref.number}"))
        reviews, whole_reviews = client.pages(f"/repos/{path}/pulls/{ref.number}/reviews", MOST)
        comments, whole_comments = client.pages(f"/repos/{path}/issues/{ref.number}/comments", MOST)
        own = self._account.own_login()
        if known is not None and known.change.head_sha == change.head_sha and known.complete:
            commits, whole_commits = known.commits, True
        else:
            commits, whole_commits = self._commits(ref)
        facts = HostFacts(
            change=change,
            reviews=tuple(found for each in iterate(reviews) if (found := parse.review(each))),
            comments=tuple(parse.comment(each, own) for each in iterate(comments)),
            commits=commits,
            checks=self._checks(ref.repo, change.head_sha) if checks else (),
            complete=whole_reviews and whole_comments and whole_commits,
        )
        return self._with_people(facts, known)

    def _commits(self, ref: ChangeRef) -> tuple[tuple[Commit, ...], bool]:
        path = f"/repos/{ref.repo.path}/pulls/{ref.number}/commits"
        found, whole = self._client(ref.repo).pages(path, MOST_COMMITS)
        return tuple(parse.commit(each) for each in iterate(found)), whole and len(found) < MOST_COMMITS

    def _checks(self, repo: RepoRef, sha: str) -> tuple[Any, ...]:
        client, path = self._client(repo), repo.path
        statuses, _ = client.pages(f"/repos/{path}/commits/{sha}/status", MOST)
        runs, _ = client.pages(f"/repos/{path}/commits/{sha}/check-runs", MOST)
        found = [parse.status(each) for each in iterate(statuses)] + [parse.check_run(each) for each in iterate(runs)]
        return tuple(check for check in found if not check.name.startswith("headgate/"))

    def _with_people(self, facts: HostFacts, known: HostFacts | None) -> HostFacts:
        """Permissions of those whose word may matter; from the list of collaborators where we may see it."""
        repo = facts.change.ref.repo
        listed = self.people(repo)
        wanted = {facts.change.author, *(review.author for review in facts.reviews)}
        wanted |= {each.author for each in facts.comments if not each.ours and each.body[:1] in "/@hH"}
        permissions = dict(listed)
        for login in sorted(wanted):
            if login and login.lower() not in permissions:
                permissions[login.lower()] = self.permission(repo, login)
        pushers = dict(known.pushers) if known else {}
        head = facts.change.head_sha
        if head not in pushers:
            pushers[head] = self._pusher(facts)
        return replace(facts, permissions=permissions, pushers=pushers)

    def _pusher(self, facts: HostFacts) -> str:
        """Who pushed the head, from the activity of its branch; empty when the host does not say."""
        change = facts.change
        repo = change.head_repo or change.ref.repo
        try:
            path = f"/repos/{repo.path}/activity?ref=refs/heads/{change.head_ref}&per_page=30"
            found = self._client(change.ref.repo).get(path)
        except (HostDenied, HostGone):
            return ""
        items = iterate(found if isinstance(found, list) else [])
        return next((parse.login(each.get("actor")) for each in items if each.get("after") == change.head_sha), "")

    def permission(self, repo: RepoRef, login: str) -> Permission:
        """Asked once in five minutes."""
        key = (repo.path, login.lower())
        at, cached = self._permissions.get(key, (0.0, Permission.NONE))
        if at and time.monotonic() - at < PEOPLE_SECONDS:
            return cached
        try:
            found = parse.permission(self._client(repo).get(f"/repos/{repo.path}/collaborators/{login}/permission"))
        except HostGone:
            found = Permission.NONE
        self._permissions[key] = (time.monotonic(), found)
        return found

    def people(self, repo: RepoRef) -> Mapping[str, Permission]:
        """Collaborators, as far as our account may list them; empty when it may not."""
        at, cached = self._people.get(repo.path, (0.0, {}))
        if at and time.monotonic() - at < PEOPLE_SECONDS:
            return cached
        try:
            listed, _ = self._client(repo).pages(f"/repos/{repo.path}/collaborators", MOST)
        except (HostDenied, HostGone):
            listed = []
        found = {parse.login(each).lower(): parse.permission(each) for each in iterate(listed) if parse.login(each)}
        self._people[repo.path] = (time.monotonic(), found)
        return found

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open ones, and of the others those updated lately; newest first, stopping at ``since``."""
        client, path = self._client(repo), repo.path
        found: dict[int, ChangeStub] = {}
        lists = [("open", 1000)] + ([("closed", 100)] if since else [])
        for state, most in lists:
            items, _ = client.pages(f"/repos/{path}/pulls?state={state}&sort=updated&direction=desc", most)
            for each in iterate(items):
                stub = self._stub(repo, each)
                if state == "open" or since is None or stub.updated_at >= since:
                    found[stub.ref.number] = stub
        return tuple(found.values())

    def _stub(self, repo: RepoRef, data: Mapping[str, Any]) -> ChangeStub:
        change = parse.change(ChangeRef(repo, int(data.get("number") or 0)), data)
        return ChangeStub(change.ref, change.head_sha, change.updated_at, data.get("state") == "open")

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """Merged pull requests that brought the commit."""
        items, _ = self._client(repo).pages(f"/repos/{repo.path}/commits/{sha}/pulls", 100)
        return tuple(int(each["number"]) for each in iterate(items) if each.get("merged_at") and each.get("number"))

    def default_branch(self, repo: RepoRef) -> str:
        """The repository's default branch."""
        return str(self._client(repo).get(f"/repos/{repo.path}").get("default_branch") or "main")

    def clone_url(self, repo: RepoRef) -> str:
        """Without credentials. GHES serves its API below ``/api/v3`` of the same host."""
        api = self._account.api_url
        root = "https://github.com" if api == "https://api.github.com" else api.removesuffix("/api/v3")
        return f"{root}/{repo.path}.git"

    def git_credentials(self, repo: RepoRef) -> tuple[str, str] | None:
        """https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app"""
        return ("x-access-token", self._account.password(repo.path))

    def budget(self) -> Budget:
        """The scarcest of our clients' budgets."""
        known = [client.budget() for client in self._account.clients()]
        told = [budget for budget in known if budget.remaining is not None]
        return min(told, key=lambda budget: budget.remaining or 0) if told else Budget()

    def own_login(self) -> str:
        """Our own login."""
        return self._account.own_login()

    def calls(self) -> Mapping[str, int]:
        """Calls made by this process, by verb; those that cost nothing under ``304``."""
        total: dict[str, int] = {}
        for client in self._account.clients():
            for verb, count in client.calls.items():
                total[verb] = total.get(verb, 0) + count
        return total

    # ------------------------------------------------------------------------------------------- writes

    def capabilities(self) -> Capabilities:
        """https://docs.github.com/en/rest/issues/comments: a comment has at most 65,536 characters."""
        return Capabilities(65536, review_has_sha=True, required_by_name=True, rich_checks=self._account.is_app)

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
