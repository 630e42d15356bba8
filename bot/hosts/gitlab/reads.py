"""What we read on GitLab: changes, people, listings. A list that was cut says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from bot.core.errors import HostDenied, HostGone, Renamed
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
from bot.hosts.fields import ADDRESSED, some
from bot.hosts.gitlab import parse
from bot.hosts.gitlab.client import Client
from bot.hosts.gitlab.people import People
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.listing import MOST_STUBS, newest_first, repositories
from bot.hosts.naming import home, still
from bot.hosts.remembering import Last
from bot.ports import ChangeStub

MOST: Final = 5000
"""Notes, commits or statuses of one list that are read: as many notes as GitLab lets a merge request have."""
REPORTER: Final = 20
"""The least role that reads code: https://docs.gitlab.com/user/permissions/#repository"""
EVENT_PAGES: Final = 3
"""Pages of a project's pushes that are looked through for a head."""


class Reads:
    """Reads with the account's client. Each raises HostBusy, HostDenied or HostGone, and only those."""

    def __init__(self, client: Client, settings: GitLabSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self.people = People(client, settings.url, clock)
        self._name = settings.name
        self._prefix = settings.check_prefix
        self._login = ""
        self._user_id = 0
        self._ids: dict[str, int] = {}
        self._forks = Last()
        self.refs = Last()
        """(project, head commit) -> the ref its statuses belong to."""

    def at(self, repo: RepoRef) -> str:
        """The project's path in the API: by its number once that is known."""
        return f"/projects/{self._ids.get(repo.path) or quote(repo.path, safe='')}"

    def known_login(self) -> str:
        """Our login if it was asked before, else empty; never a call."""
        return self._login

    def own_login(self) -> str:
        """Our login, asked once. Raises HostError."""
        if not self._login:
            data = self.client.get("/user")
            self._login, number = parse.username(data), data.get("id")
            self._user_id = number if isinstance(number, int) else 0
        return self._login

    def own_id(self) -> int:
        """Our account's number."""
        self.own_login()
        return self._user_id

    # ------------------------------------------------------------------------------------------- change

    def change(self, ref: ChangeRef, *, known: HostFacts | None, checks: bool) -> HostFacts:
        """Three calls and one for reviewers, if there are any; commits and pusher when the head is a new one."""
        at = f"{self.at(ref.repo)}/merge_requests/{ref.number}"
        data = self.client.get(at)
        found = self._home(ref.repo, data)
        change = parse.change(ref, data, self._head_repo(ref.repo, data))
        self._learn(change, data)
        notes, whole_notes = self.client.all(f"{at}/notes?sort=asc&order_by=created_at", MOST)
        reviews = self._reviews(at, data, notes)
        commits, whole_commits = self._commits(at, change, known)
        reported, whole_checks = self._checks(change) if checks else ((), True)
        own = self.own_login()
        comments = tuple(parse.comment(each, own) for each in notes if each.get("system") is not True)
        return HostFacts(
            change=change,
            reviews=reviews,
            comments=comments,
            commits=commits,
            checks=reported,
            permissions=self._permissions_for(change, reviews, comments, known),
            pushers=self._pushers(change, known),
            complete=whole_notes and whole_commits and whole_checks,
            left_line=parse.left_line(notes),
            home=found,
        )

    def _home(self, repo: RepoRef, data: Mapping[str, Any]) -> Home | None:
        """Where the merge request is now. Raises Renamed, and then forgets the number: another project may come to
        have the name."""
        path, _, _ = str(some(data.get("references")).get("full") or "").rpartition("!")
        try:
            return still(repo, home(repo.host, {"id": data.get("target_project_id"), "path": path}, "path"))
        except Renamed:
            self._ids.pop(repo.path, None)
            raise

    def _learn(self, change: Change, data: Mapping[str, Any]) -> None:
        number, repo = data.get("target_project_id"), change.ref.repo
        if isinstance(number, int):
            self._ids[repo.path] = number
        # A fork's branch is not in this project: its head is here under the merge request's own name.
        ref = f"refs/merge-requests/{change.ref.number}/head" if change.from_fork else change.head_ref
        self.refs.put((repo.path, change.head_sha), ref)

    def _head_repo(self, ours: RepoRef, data: Mapping[str, Any]) -> RepoRef | None:
        """Compared by number; a fork's name is asked once, and is None when it was deleted."""
        source, target = data.get("source_project_id"), data.get("target_project_id")
        if source is None or target is None:
            return None
        if source == target:
            return ours
        name = self._forks.get((str(source),))
        if name is None:
            try:
                name = str(self.client.get(f"/projects/{int(source)}").get("path_with_namespace") or "")
            except (HostGone, HostDenied):
                # A fork that we may not see is one nonetheless.
                name = f"-/{source}"
            self._forks.put((str(source),), name)
        return RepoRef(ours.host, name) if name else None

    def _reviews(self, at: str, data: Mapping[str, Any], notes: Iterable[Mapping[str, Any]]) -> tuple[Review, ...]:
        approvals = self.client.get(f"{at}/approvals")
        reviewers: list[dict[str, Any]] = []
        if data.get("reviewers"):
            try:
                reviewers, _ = self.client.all(f"{at}/reviewers", MOST)
            except HostGone:
                reviewers = []  # before 14.10 reviewers have no state
        return parse.reviews(approvals, reviewers, notes)

    def _commits(self, at: str, change: Change, known: HostFacts | None) -> tuple[tuple[Commit, ...], bool]:
        """Oldest first, the head last; as known while head and base branch are the same."""
        usable = known is not None and known.complete and known.change.base_ref == change.base_ref
        if known is not None and usable and known.commits and known.commits[-1].sha == change.head_sha:
            return known.commits, True
        found, whole = self.client.all(f"{at}/commits", MOST)
        addresses = {parse.address(each, whose) for each in found for whose in ("author", "committer")}
        logins = self.people.logins(change.ref.repo.path, change.ref.number, addresses - {""})
        return tuple(parse.commit(each, logins) for each in reversed(found)), whole

    def _checks(self, change: Change) -> tuple[tuple[HostCheck, ...], bool]:
        """What others reported on the head; ours are never read back. The list is over all refs of the commit: those
        of the merge request's own count, then those of its branch."""
        path = f"{self.at(change.ref.repo)}/repository/commits/{quote(change.head_sha)}/statuses"
        found, whole = self.client.all(path, MOST)
        first = f"refs/merge-requests/{change.ref.number}/"
        named = {
            str(each.get("name")): each
            for each in sorted(found, key=lambda each: str(each.get("ref") or "").startswith(first))
            if str(each.get("ref") or "").startswith(first) or each.get("ref") in (change.head_ref, None)
        }
        checks = map(parse.status, named.values())
        return tuple(check for check in checks if not check.name.startswith(self._prefix)), whole

    def _permissions_for(
        self, change: Change, reviews: tuple[Review, ...], comments: tuple[Comment, ...], known: HostFacts | None
    ) -> Mapping[str, Permission]:
        """Of those whose word may matter: author, reviewers, who seems to have said a command."""
        speakers = {each.author for each in comments if not each.ours and ADDRESSED.search(each.body)}
        wanted = {change.author, *speakers, *(each.author for each in reviews)} - {""}
        listed = self.people.members(self.at(change.ref.repo))
        asked = {each.lower(): self.permission(change.ref.repo, each) for each in sorted(wanted)}
        return {**(known.permissions if known else {}), **listed, **asked}

    def _pushers(self, change: Change, known: HostFacts | None) -> Mapping[str, str]:
        """Those known, and the head's; asked again while the host cannot say."""
        pushers = {sha: who for sha, who in (known.pushers if known else {}).items() if who}
        if change.head_sha not in pushers:
            pushers[change.head_sha] = self._pusher(change)
        return pushers

    def _pusher(self, change: Change) -> str:
        """Who pushed the head, from the pushes of the project it is in; empty when the host does not say.

        https://docs.gitlab.com/api/events/#list-all-visible-events-for-a-project
        """
        if change.head_repo is None:
            return ""
        try:
            pages = self.client.pages(f"{self.at(change.head_repo)}/events?action=pushed")
            for _, page in zip(range(EVENT_PAGES), pages, strict=False):
                for each in page:
                    pushed = some(each.get("push_data"))
                    if pushed.get("commit_to") == change.head_sha and pushed.get("ref") == change.head_ref:
                        return parse.username(each.get("author")) or str(each.get("author_username") or "")
        except (HostDenied, HostGone):
            return ""
        return ""

    # ------------------------------------------------------------------------------------------- people

    def permission(self, repo: RepoRef, who: str) -> Permission:
        """Somebody's permission; see ``People.permission``."""
        return self.people.permission(self.at(repo), who)

    # ----------------------------------------------------------------------------------------- listings

    def repositories(self) -> tuple[RepoRef, ...]:
        """Projects that our account is a member of by whatever way, and whose code it may read.

        https://docs.gitlab.com/api/projects/#list-all-projects
        """
        which = {"membership": "true", "min_access_level": REPORTER, "archived": "false", "simple": "true"}
        query = urlencode({**which, "order_by": "id", "sort": "asc"})
        pages = self.client.pages(f"/projects?{query}")
        return repositories(self._name, pages, "path_with_namespace", shapes.PROJECT)

    def moved_changes(self, repo: RepoRef, since: datetime | None) -> tuple[ChangeStub, ...]:
        """Open changes; or, after ``since``, whatever was updated; newest first."""
        if since is None:
            return newest_first(stub for stub in self._stubs(repo, {"state": "opened"}) if stub.open)
        after = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return newest_first(self._stubs(repo, {"state": "all", "updated_after": after}))

    def _stubs(self, repo: RepoRef, which: Mapping[str, str]) -> list[ChangeStub]:
        query = urlencode({**which, "order_by": "updated_at", "sort": "desc"})
        found: list[ChangeStub] = []
        for page in self.client.pages(f"{self.at(repo)}/merge_requests?{query}"):
            found += [stub for each in page if (stub := _stub(repo, each)) is not None]
            if len(found) >= MOST_STUBS:
                break
        return found

    def changes_of_commit(self, repo: RepoRef, sha: str) -> tuple[int, ...]:
        """Merged merge requests that brought the commit; none for a commit the host does not know."""
        try:
            path = f"{self.at(repo)}/repository/commits/{quote(sha)}/merge_requests"
            found, _ = self.client.all(path, MOST)
        except HostGone:
            return ()
        merged = (each.get("iid") for each in found if each.get("state") == "merged")
        return tuple(number for number in merged if isinstance(number, int))

    def project(self, repo: RepoRef) -> Mapping[str, Any]:
        """``GET /projects/:id``."""
        return self.client.get(self.at(repo))

    def home(self, repo: RepoRef) -> Home | None:
        """Where the project is now that was asked for by a name."""
        return home(repo.host, self.client.get(f"/projects/{quote(repo.path, safe='')}"), "path_with_namespace")

    def default_branch(self, repo: RepoRef) -> str:
        """The project's default branch."""
        return str(self.project(repo).get("default_branch") or "main")


def _stub(repo: RepoRef, data: Mapping[str, Any]) -> ChangeStub | None:
    number = data.get("iid")
    if not isinstance(number, int):
        return None
    change = parse.change(ChangeRef(repo, number), data, None)
    return ChangeStub(change.ref, change.head_sha, change.updated_at, data.get("state") in ("opened", "locked"))
