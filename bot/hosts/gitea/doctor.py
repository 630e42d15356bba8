"""Looking a repository over: can we work there, and does the branch really wait for our gate? Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.fields import some
from bot.hosts.gitea.protection import absent, rule_of
from bot.hosts.gitea.reads import Reads
from bot.hosts.gitea.setup import Setup, wrong_with
from bot.hosts.setup import Finding, Level, Wanted, archived, renamed


class Doctor:
    """Examines one repository after another. Raises HostBusy at most."""

    def __init__(self, reads: Reads, setup: Setup, *, polled: bool) -> None:
        self._polled = polled
        self._reads = reads
        self._client = reads.client
        self._setup = setup

    def examine(self, repo: RepoRef, wanted: Wanted) -> tuple[Finding, ...]:
        """What was found; what stops everything else comes alone."""
        return tuple(self._findings(repo, wanted))

    def _findings(self, repo: RepoRef, wanted: Wanted) -> Iterator[Finding]:
        try:
            login = self._reads.own_login()
            shown = self._client.get(self._reads.at(repo))
        except HostGone:
            yield Finding(Level.PROBLEM, repo.path, "our account cannot see it", "Give the account access to it.")
            return
        except HostDenied as error:
            yield Finding(Level.PROBLEM, repo.host, str(error), "Check the token in the settings and its scopes.")
            return
        yield Finding(Level.OK, repo.path, f"{login} can read it")
        if not self._polled:
            text = "no webhook tells of a review that is dismissed: its approval counts until something else happens"
            yield Finding(Level.WARNING, repo.host, text, f"Set `poll: 30s` at `hosts.{repo.host}`.")
        yield from renamed(repo, str(shown.get("full_name") or repo.path))
        yield from self._rights(repo, shown)
        for branch in wanted.branches or (str(shown.get("default_branch") or "main"),):
            if wanted.checks:
                yield self._gate(repo, branch, wanted)
        if wanted.url:
            yield self._webhook(repo, wanted.url)

    def _rights(self, repo: RepoRef, shown: Mapping[str, Any]) -> Iterator[Finding]:
        """Comments, statuses and merges need write; to ask what others may do, one must administer it."""
        held = some(shown.get("permissions"))
        if held.get("admin") is not True:
            text = "our account does not administer it: only administrators may ask what somebody may do"
            yield Finding(Level.PROBLEM, repo.path, text, "Give the account administrator rights there.")
        for team in self._reads.people.unseen_teams(self._reads.at(repo)):
            text = f"our account may not see who is in the team {team}: what its members approve does not count"
            yield Finding(
                Level.WARNING, repo.path, text, "Make the account an owner of the organisation, or a member."
            )
        yield from archived(repo, shown)

    def _gate(self, repo: RepoRef, branch: str, wanted: Wanted) -> Finding:
        subject, remedy = f"{repo.path} {branch}", f"headgate setup {repo.host} {repo.path}"
        try:
            shown = self._client.get(f"{self._reads.at(repo)}/branches/{quote(branch, safe='')}")
            rule = self._override(repo, shown)
        except (HostGone, HostDenied) as error:
            return Finding(Level.PROBLEM, subject, f"the branch cannot be read: {error}")
        names = ", ".join(absent(wanted.checks, shown))
        if names:
            return Finding(Level.PROBLEM, subject, f"does not require {names}: people can merge past it", remedy)
        if rule.get("block_admin_merge_override") is not True:
            text = f"requires {', '.join(wanted.checks)}; administrators can merge past it (that is noticed and told)"
            mend = "Let the branch's rule block administrators' merges, too."
            return Finding(Level.WARNING, subject, text, mend)
        return Finding(Level.OK, subject, f"requires {', '.join(wanted.checks)}")

    def _override(self, repo: RepoRef, branch: Mapping[str, Any]) -> Mapping[str, Any]:
        """The rule of a branch as far as we may see it."""
        name = rule_of(branch)
        if not name:
            return {}
        try:
            return self._client.get(f"{self._reads.at(repo)}/branch_protections/{quote(name, safe='')}")
        except (HostGone, HostDenied):
            return {}

    def _webhook(self, repo: RepoRef, url: str) -> Finding:
        remedy = f"headgate setup {repo.host} {repo.path}"
        try:
            found = self._setup.find_hook(repo, url)
        except HostDenied as error:
            return Finding(Level.WARNING, repo.path, str(error), "Look in its settings, or rely on polling.")
        if found.hook is None:
            return Finding(Level.PROBLEM, repo.path, f"no webhook goes to {url}", remedy)
        wrong = "; ".join(wrong_with(found.hook))
        if wrong:
            return Finding(Level.PROBLEM, repo.path, f"the {found.named(url)}: {wrong}", remedy)
        return Finding(Level.OK, repo.path, f"{found.named(url)}; the server tells nobody what became of deliveries")
