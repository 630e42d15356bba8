"""Looking a project over: can we work there, and is ours really the only account that merges? Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.core.errors import HostDenied, HostGone
from bot.core.model import Permission, RepoRef
from bot.hosts.fields import some
from bot.hosts.gitlab.reads import Reads
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.gitlab.setup import MAINTAINERS, Setup, by_role, loose, wrong_with
from bot.hosts.gitlab.status_checks import StatusChecks
from bot.hosts.gitlab.status_setup import MUST_PASS, flaws
from bot.hosts.setup import Finding, Level, Wanted, archived, renamed


class Doctor:
    """Examines one project after another. Raises HostBusy at most."""

    def __init__(self, settings: GitLabSettings, reads: Reads, setup: Setup, status_checks: StatusChecks) -> None:
        self._settings = settings
        self._reads = reads
        self._setup = setup
        self._status_checks = status_checks

    def examine(self, repo: RepoRef, wanted: Wanted) -> tuple[Finding, ...]:
        """What was found; what stops everything else comes alone."""
        return tuple(self._findings(repo, wanted))

    def _findings(self, repo: RepoRef, wanted: Wanted) -> Iterator[Finding]:
        try:
            login, shown = self._reads.own_login(), self._reads.project(repo)
        except HostGone:
            yield Finding(Level.PROBLEM, repo.path, "our account cannot see it", "Make the account a maintainer.")
            return
        except HostDenied as error:
            yield Finding(Level.PROBLEM, repo.host, str(error), "Check the token in the settings and its scopes.")
            return
        yield Finding(Level.OK, repo.path, f"{login} can read it")
        yield from renamed(repo, str(shown.get("path_with_namespace") or repo.path))
        yield from self._rights(repo, shown)
        if shown.get("merge_trains_enabled") is True:
            yield Finding(Level.OK, repo.path, "merge trains are on: what is merged goes there")
        branches = wanted.branches or (str(shown.get("default_branch") or "main"),)
        for branch in branches:
            if wanted.checks:
                yield self._gate(repo, branch)
        for check in self._status_checks.gates(repo):
            yield self._external(repo, check, replace(wanted, branches=branches), must=shown.get(MUST_PASS) is True)
        if wanted.url:
            yield self._webhook(repo, wanted.url)

    def _rights(self, repo: RepoRef, shown: Mapping[str, Any]) -> Iterator[Finding]:
        held = some(shown.get("permissions"))
        levels = [some(held.get(name)).get("access_level") for name in ("project_access", "group_access")]
        if max((level for level in levels if isinstance(level, int)), default=0) < MAINTAINERS and held:
            text = "our account is no maintainer: it may neither set the project up nor merge into it alone"
            yield Finding(Level.PROBLEM, repo.path, text, "Make the account a maintainer.")
        yield from archived(repo, shown)

    def _gate(self, repo: RepoRef, branch: str) -> Finding:
        subject, remedy = f"{repo.path} {branch}", f"headgate setup {repo.host} {repo.path}"
        try:
            rules = self._setup.rules(repo)
        except HostDenied as error:
            return Finding(Level.PROBLEM, subject, f"its protection cannot be read: {error}")
        wrong = "; ".join(loose(branch, rules, self._reads.own_id()))
        if wrong:
            return Finding(Level.PROBLEM, subject, f"people can go past the gate: {wrong}", remedy)
        others = self._others(repo) if by_role(branch, rules) else ""
        if others:
            text = f"maintainers may merge, and so can {others} past the gate (that is noticed and told)"
            return Finding(Level.WARNING, subject, text, "Make our account the only maintainer; others developers.")
        return Finding(Level.OK, subject, "only our account merges")

    def _external(self, repo: RepoRef, check: Mapping[str, Any], wanted: Wanted, *, must: bool) -> Finding:
        """GitLab's own question before a merge, where it is put to us."""
        name = f"external status check {check.get('name')}"
        if not wanted.checks:
            text = f"{name}: nobody answers it in this mode" + (", so nothing can be merged" if must else "")
            return Finding(
                Level.PROBLEM if must else Level.WARNING, repo.path, text, "Remove it, or set mode: enforce."
            )
        wrong = "; ".join(flaws(check, self._settings.webhook_url, wanted.branches))
        if wrong:
            remedy = f"headgate setup {repo.host} {repo.path} --status-check"
            return Finding(Level.WARNING, repo.path, f"{name}: {wrong}", remedy)
        return Finding(Level.OK, repo.path, f"{name}; merges {'wait' if must else 'do not wait'} for it")

    def _others(self, repo: RepoRef) -> str:
        """Who has the role that merges, beside us."""
        own = self._reads.own_login().lower()
        members = self._reads.people.members(self._reads.at(repo)).items()
        found = sorted(who for who, held in members if held >= Permission.MAINTAIN and who != own)
        return ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")

    def _webhook(self, repo: RepoRef, url: str) -> Finding:
        remedy = f"headgate setup {repo.host} {repo.path}"
        try:
            found = self._setup.find_hook(repo, url)
        except HostDenied as error:
            return Finding(Level.WARNING, repo.path, str(error), "Look in its settings, or rely on polling.")
        hook = found.hook
        if hook is None:
            text = f"no webhook of the project goes to {url}, and none of its groups that our account may see"
            return Finding(Level.PROBLEM, repo.path, text, remedy)
        wrong = "; ".join(wrong_with(hook, signed=hook.get("signing_token_present") is True))
        if wrong:
            return Finding(Level.PROBLEM, repo.path, f"the {found.named(url)}: {wrong}", remedy)
        return Finding(Level.OK, repo.path, found.named(url))
