"""What we read on GitHub: changes, people, listings. A list that was cut says so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from bot.core.errors import HostDenied, HostGone
from bot.core.model import (
    Change,
    ChangeRef,
    Comment,
    Commit,
    Home,
    HostCheck,
    HostFacts,
    Permission,
    RepoRef,
    Review,
)
from bot.hosts import fields, shapes
from bot.hosts.fields import ADDRESSED, some
from bot.hosts.github import parse
from bot.hosts.github.account import Account
from bot.hosts.github.client import Client
from bot.hosts.github.settings import GitHubSettings
from bot.hosts.groups import MOST as GROUP
from bot.hosts.groups import Groups
from bot.hosts.listing import Pages, moved, repositories
from bot.hosts.naming import home, still
from bot.hosts.remembering import Aging
from bot.ports import ChangeStub

log = logging.getLogger(__name__)

MOST: Final = 3000
"""Reviews, comments, checks or people of one list that are read."""
MOST_COMMITS: Final = 250
"""GitHub lists no more commits of a pull request:
https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request"""
PEOPLE_SECONDS: Final = 300.0


class Reads:
    """Reads with the account's clients. Each raises HostBusy, HostDenied or HostGone, and only those."""

    def __init__(
        self, account: Account, settings: GitHubSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account = account
        self._name = settings.name
        self._prefix = settings.check_prefix
        self._clock = clock
        self._people = Aging(PEOPLE_SECONDS, clock)
        self._permissions = Aging(PEOPLE_SECONDS, clock)
        self.groups = Groups(self._group, fields.login, clock)
        self._lock = threading.Lock()

    def client(self, repo: RepoRef) -> Client:
        """Who may speak about it."""
        return self._account.client(repo.path)

    def at(self, repo: RepoRef) -> str:
        """The repository's path in the API."""
        return f"/repos/{quote(repo.path)}"

    # ------------------------------------------------------------------------------------------- change

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """Three calls (free while nothing changed), and the commits and the pusher when the head is a new one."""
        data = self.client(ref.repo).get(f"{self.at(ref.repo)}/pulls/{ref.number}")
        # GitHub sends reads after a renamed repository, but loses the query on the way: nothing more is asked of it.
        found = still(ref.repo, home(ref.repo.host, some(some(data.get("base")).get("repo")), "full_name"))
        change = parse.change(ref, data)
        reviews, whole_reviews = self._reviews(ref)
        comments, whole_comments = self._comments(ref)
        commits, whole_commits = self._commits(change, known)
        reported, whole_checks = self._checks(ref.repo, change.head_sha) if checks else ((), True)
        return HostFacts(
            change=change,
            reviews=reviews,
            comments=comments,
            commits=commits,
            checks=reported,
            permissions=self._permissions_for(change, (*reviews, *commits), comments, known),
            pushers=self._pushers(change, commits, known),
            complete=whole_reviews and whole_comments and whole_commits and whole_checks,
            home=found,
        )

    def _reviews(self, ref: ChangeRef) -> tuple[tuple[Review, ...], bool]:
        found, whole = self.client(ref.repo).all(f"{self.at(ref.repo)}/pulls/{ref.number}/reviews", MOST)
        return tuple(review for each in found if (review := parse.review(each))), whole

    def _comments(self, ref: ChangeRef) -> tuple[tuple[Comment, ...], bool]:
        """All of them: that one is missing can be seen in no other way."""
        found, whole = self.client(ref.repo).all(f"{self.at(ref.repo)}/issues/{ref.number}/comments", MOST)
        own = self._account.own_login()
        return tuple(parse.comment(each, own) for each in found), whole

    def _commits(self, change: Change, known: HostFacts | None) -> tuple[tuple[Commit, ...], bool]:
        """As known while head and base branch are the same; GitHub cuts the list without saying so."""
        usable = known is not None and known.complete and known.change.base_ref == change.base_ref
        if known is not None and usable and known.commits and known.commits[-1].sha == change.head_sha:
            return known.commits, True
        path = f"{self.at(change.ref.repo)}/pulls/{change.ref.number}/commits"
        found, whole = self.client(change.ref.repo).all(path, MOST_COMMITS)
        return tuple(parse.commit(each) for each in found), whole and len(found) < MOST_COMMITS

    def _checks(self, repo: RepoRef, sha: str) -> tuple[tuple[HostCheck, ...], bool]:
        """What others reported on the head; ours are never read back."""
        client, path = self.client(repo), f"{self.at(repo)}/commits/{quote(sha)}"
        # Not the shorter /status: that does not say who set one.
        statuses, whole_statuses = client.all(f"{path}/statuses", MOST)
        runs, whole_runs = client.all(f"{path}/check-runs", MOST, "check_runs")
        found = [*parse.newest(map(parse.status, statuses)), *map(parse.check_run, runs)]
        return tuple(
            check for check in found if not check.name.startswith(self._prefix)
        ), whole_statuses and whole_runs

    def _permissions_for(
        self,
        change: Change,
        hands: tuple[Review | Commit, ...],
        comments: tuple[Comment, ...],
        known: HostFacts | None,
    ) -> Mapping[str, Permission]:
        """Of those whose word may matter: author, who asked a bot, reviewers, who seems to have said a command."""
        repo = change.ref.repo
        speakers = {each.author for each in comments if not each.ours and ADDRESSED.search(each.body)}
        wanted = {change.author, *speakers}
        for each in hands:
            wanted.update((each.author,) if isinstance(each, Review) else each.asked_by)
        listed = self.people(repo)
        found = {**(known.permissions if known else {}), **listed}
        for login in sorted(wanted):
            if login and login.lower() not in listed:
                found[login.lower()] = self.permission(repo, login)
        return found

    def _pushers(self, change: Change, commits: tuple[Commit, ...], known: HostFacts | None) -> Mapping[str, str]:
        """Those known, the head's, and those of its commits that were pushed before; asked again while the host
        cannot say who pushed the head."""
        pushers = {sha: login for sha, login in (known.pushers if known else {}).items() if login}
        if change.head_sha not in pushers:
            found = self._activity(change)
            shas = {change.head_sha, *(commit.sha for commit in commits)}
            pushers |= {sha: login for sha, login in found.items() if sha in shas and login}
            pushers.setdefault(change.head_sha, "")
        return pushers

    def _activity(self, change: Change) -> Mapping[str, str]:
        """Commit -> who pushed it last, from the activity of the change's branch; nothing when the host does not say.

        https://docs.github.com/en/rest/repos/repos#list-repository-activities
        """
        repo = change.head_repo
        if repo is None:
            return {}
        query = urlencode({"ref": f"refs/heads/{change.head_ref}"})
        try:
            found = next(self.client(change.ref.repo).pages(f"{self.at(repo)}/activity?{query}"), [])
        except (HostDenied, HostGone):
            return {}
        return {str(each.get("after") or ""): fields.login(each.get("actor")) for each in reversed(found)}

    # ------------------------------------------------------------------------------------------- people

    def permission(self, repo: RepoRef, login: str) -> Permission:
        """Somebody's permission, asked once in five minutes; NONE for who is not there."""
        key = (repo.path, login.lower())
        found: Permission | None = self._permissions.get(key)
        if found is not None:
            return found
        path = f"{self.at(repo)}/collaborators/{quote(login, safe='')}/permission"
        try:
            found = parse.permission(self.client(repo).get(path))
        except HostGone:
            found = Permission.NONE
        self._permissions.put(key, found)
        return found

    def people(self, repo: RepoRef) -> Mapping[str, Permission]:
        """Collaborators as far as our account may list them, asked once in five minutes."""
        known: Mapping[str, Permission] | None = self._people.get((repo.path,))
        if known is not None:
            return known
        try:
            listed, _ = self.client(repo).all(f"{self.at(repo)}/collaborators", MOST)
        except (HostDenied, HostGone):
            listed = []
        found = {fields.login(each).lower(): parse.permission(each) for each in listed if fields.login(each)}
        self._people.put((repo.path,), found)
        return found

    def _group(self, group: str) -> tuple[list[dict[str, Any]], bool]:
        """https://docs.github.com/en/rest/teams/members#list-team-members: with those of the teams below it. Of an
        organisation's members who is no member itself sees only the public ones."""
        organisation, _, team = group.partition("/")
        at = f"/orgs/{quote(organisation)}" + (f"/teams/{quote(team, safe='')}" if team else "")
        return self._account.client(group if team else f"{group}/").all(f"{at}/members", GROUP)

    # ----------------------------------------------------------------------------------------- listings

    def repositories(self) -> tuple[RepoRef, ...]:
        """Repositories where the App is installed; with a token those that were shared with its account.

        Their answers are long, and change with every push: they are not worth being remembered.
        https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation
        https://docs.github.com/en/rest/repos/repos#list-repositories-for-the-authenticated-user
        """
        return repositories(self._name, self._listed(), "full_name", shapes.REPOSITORY)

    def _listed(self) -> Pages:
        if not self._account.is_app:
            yield from self._account.client("").pages("/user/repos?sort=full_name", remember=False)
        for client in self._account.installed():
            try:
                yield from client.pages("/installation/repositories", "repositories", remember=False)
            except (HostDenied, HostGone) as error:
                # One organisation that shuts us out does not hide the others.
                log.warning("%s: an installation's repositories cannot be listed: %s", self._name, error)

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open changes; or, after ``since``, whatever was updated; newest first."""

        def pages(state: str) -> Pages:
            query = urlencode({"state": state, "sort": "updated", "direction": "desc"})
            return self.client(repo).pages(f"{self.at(repo)}/pulls?{query}")

        return moved(pages, lambda data: _stub(repo, data), since)

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """Merged pull requests that brought the commit; none for a commit the host does not know."""
        try:
            items, _ = self.client(repo).all(f"{self.at(repo)}/commits/{quote(sha)}/pulls", MOST)
        except HostGone:
            return ()
        return tuple(int(each["number"]) for each in items if each.get("merged_at") and each.get("number"))

    def home(self, repo: RepoRef) -> Home | None:
        """Where the repository is now that was asked for by a name."""
        return home(repo.host, self.client(repo).get(self.at(repo)), "full_name")

    def default_branch(self, repo: RepoRef) -> str:
        """The repository's default branch."""
        return str(self.client(repo).get(self.at(repo)).get("default_branch") or "main")


def _stub(repo: RepoRef, data: Mapping[str, Any]) -> ChangeStub | None:
    number = data.get("number")
    if not isinstance(number, int):
        return None
    change = parse.change(ChangeRef(repo, number), data)
    return ChangeStub(change.ref, change.head_sha, change.updated_at, data.get("state") == "open")
