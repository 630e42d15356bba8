"""What we read: changes, people, listings. A list that was cut says so."""

from __future__ import annotations

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
from bot.hosts import shapes
from bot.hosts.fields import ADDRESSED, login, some
from bot.hosts.gitea import parse
from bot.hosts.gitea.client import Client
from bot.hosts.gitea.landing import landed, pushed_in
from bot.hosts.gitea.people import People
from bot.hosts.gitea.settings import GiteaSettings
from bot.hosts.listing import Pages, moved, repositories
from bot.hosts.naming import home, still
from bot.ports import ChangeStub

MOST: Final = 3000
"""Reviews, comments, statuses or commits of one list that are read."""
FEED_PAGES: Final = 2
"""Pages of a repository's activity in which a push is looked for."""
OF_NO_BRANCH: Final = "refs/pull/"
"""The head of a change that was made without a branch: https://docs.gitea.com/usage/agit"""


class Reads:
    """Reads with the account's client. Each raises HostBusy, HostDenied or HostGone, and only those."""

    def __init__(self, client: Client, settings: GiteaSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self.people = People(client, clock)
        self._name = settings.name
        self._prefix = settings.check_prefix
        self._login = ""
        self._user_id = 0

    def at(self, repo: RepoRef) -> str:
        """The repository's path in the API."""
        return f"/repos/{quote(repo.path)}"

    def known_login(self) -> str:
        """Our login if it was asked before, else empty; never a call."""
        return self._login

    def own_login(self) -> str:
        """Our login, asked once."""
        if not self._login:
            data = self.client.get("/user")
            self._login, number = login(data), data.get("id")
            self._user_id = number if isinstance(number, int) else 0
        return self._login

    # ------------------------------------------------------------------------------------------- change

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """Three calls, and the commits and the pusher when the head is a new one."""
        data = self.client.get(f"{self.at(ref.repo)}/pulls/{ref.number}")
        # Reads are sent after a renamed repository, writes are not.
        found = still(ref.repo, home(ref.repo.host, some(some(data.get("base")).get("repo")), "full_name"))
        change = parse.change(ref, data)
        reviews, whole_reviews = self._reviews(ref)
        comments = self._comments(ref)
        commits, whole_commits = self._commits(change, known)
        reported, whole_checks = self._checks(ref.repo, change.head_sha) if checks else ((), True)
        return HostFacts(
            change=change,
            reviews=reviews,
            comments=comments,
            commits=commits,
            checks=reported,
            permissions=self._permissions_for(change, reviews, comments, known),
            pushers=self._pushers(change, commits, known),
            complete=whole_reviews and whole_commits and whole_checks,
            home=found,
        )

    def _reviews(self, ref: ChangeRef) -> tuple[tuple[Review, ...], bool]:
        found, whole = self.client.all(f"{self.at(ref.repo)}/pulls/{ref.number}/reviews", MOST)
        return tuple(review for each in found if (review := parse.review(each))), whole

    def _comments(self, ref: ChangeRef) -> tuple[Comment, ...]:
        """All of them, which the server gives at once: that one is missing can be seen in no other way."""
        found, own = self.client.whole(f"{self.at(ref.repo)}/issues/{ref.number}/comments"), self.own_login()
        return tuple(parse.comment(each, own) for each in found)

    def _commits(self, change: Change, known: HostFacts | None) -> tuple[tuple[Commit, ...], bool]:
        """Oldest first, the head last; as known while head and base branch are the same."""
        usable = known is not None and known.complete and known.change.base_ref == change.base_ref
        if known is not None and usable and known.commits and known.commits[-1].sha == change.head_sha:
            return known.commits, True
        path = f"{self.at(change.ref.repo)}/pulls/{change.ref.number}/commits?verification=false&files=false"
        found, whole = self.client.all(path, MOST)
        return tuple(parse.commit(each) for each in reversed(found)), whole

    def _checks(self, repo: RepoRef, sha: str) -> tuple[tuple[HostCheck, ...], bool]:
        """What others reported on the head; ours are never read back."""
        found, whole = self.client.all(f"{self.at(repo)}/commits/{quote(sha)}/status", MOST, "statuses")
        checks = map(parse.status, found)
        return tuple(check for check in checks if not check.name.startswith(self._prefix)), whole

    def _permissions_for(
        self, change: Change, reviews: tuple[Review, ...], comments: tuple[Comment, ...], known: HostFacts | None
    ) -> Mapping[str, Permission]:
        """Of those whose word may matter: author, reviewers, who seems to have said a command."""
        speakers = {each.author for each in comments if not each.ours and ADDRESSED.search(each.body)}
        wanted = {change.author, *speakers, *(each.author for each in reviews)} - {""}
        asked = {each.lower(): self.permission(change.ref.repo, each) for each in sorted(wanted)}
        return {**(known.permissions if known else {}), **asked}

    def _pushers(self, change: Change, commits: tuple[Commit, ...], known: HostFacts | None) -> Mapping[str, str]:
        """Those known, and those of the head and its commits; asked again while the server cannot say who pushed the
        head."""
        pushers = {sha: who for sha, who in (known.pushers if known else {}).items() if who}
        if change.head_sha not in pushers:
            shas = {change.head_sha, *(commit.sha for commit in commits)}
            pushers |= {sha: who for sha, who in self._activity(change).items() if sha in shas}
            pushers.setdefault(change.head_sha, "")
        return pushers

    def _activity(self, change: Change) -> Mapping[str, str]:
        """Commit -> who pushed it last, from the activity of the repository it is in; nothing when that is not told.

        The change's own timeline is no witness: it takes whoever opened the change for who pushed it.
        """
        if change.head_ref.startswith(OF_NO_BRANCH):
            return {change.head_sha: change.author}
        found: dict[str, str] = {}
        if change.head_repo is None:
            return found
        try:
            pages = self.client.pages(f"{self.at(change.head_repo)}/activities/feeds")
            for _, page in zip(range(FEED_PAGES), pages, strict=False):
                found = {**pushed_in(page, change.head_ref), **found}
        except (HostDenied, HostGone):
            pass
        return found

    # ------------------------------------------------------------------------------------------- people

    def permission(self, repo: RepoRef, who: str) -> Permission:
        """Somebody's permission; see ``People.permission``."""
        return self.people.permission(self.at(repo), who)

    # ----------------------------------------------------------------------------------------- listings

    def repositories(self) -> tuple[RepoRef, ...]:
        """Those that our account owns, was made a collaborator of or is in a team for, and public ones of its
        organisations: the server's search tells them apart from what everybody sees."""
        self.own_login()
        query = urlencode({"uid": self._user_id, "private": "true", "archived": "false"})
        pages = self.client.pages(f"/repos/search?{query}", "data")
        return repositories(self._name, pages, "full_name", shapes.REPOSITORY)

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open changes; or, after ``since``, whatever was updated; newest first."""

        def pages(state: str) -> Pages:
            query = urlencode({"state": state, "sort": "recentupdate"})
            return self.client.pages(f"{self.at(repo)}/pulls?{query}")

        return moved(pages, lambda data: _stub(repo, data), since)

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """The merged change that brought the commit; none for a commit the server does not know."""
        try:
            found = self.client.get(f"{self.at(repo)}/commits/{quote(sha)}/pull")
        except HostGone:
            return landed(self.client, self.at(repo), sha)
        number = found.get("number")
        return (number,) if isinstance(number, int) and found.get("merged") is True else ()

    def home(self, repo: RepoRef) -> Home | None:
        """Where the repository is now that was asked for by a name."""
        return home(repo.host, self.client.get(self.at(repo)), "full_name")

    def default_branch(self, repo: RepoRef) -> str:
        """The repository's default branch."""
        return str(self.client.get(self.at(repo)).get("default_branch") or "main")


def _stub(repo: RepoRef, data: Mapping[str, Any]) -> ChangeStub | None:
    number = data.get("number")
    if not isinstance(number, int):
        return None
    change = parse.change(ChangeRef(repo, number), data)
    return ChangeStub(change.ref, change.head_sha, change.updated_at, data.get("state") == "open")
