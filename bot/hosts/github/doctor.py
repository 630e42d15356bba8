"""Looking a repository over: can we work there, and does the branch really wait for our gate? Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from bot.core.errors import HostDenied, HostGone, ShutOut
from bot.core.model import RepoRef
from bot.hosts.fields import some
from bot.hosts.github.account import Account
from bot.hosts.github.hooks import APPS_OWN, HookPlaces
from bot.hosts.github.reads import Reads
from bot.hosts.github.requirement import judged, ways
from bot.hosts.github.rulesets import Rulesets
from bot.hosts.keeping import Kept
from bot.hosts.setup import Finding, Level, Wanted, archived, renamed


class Doctor:
    """Examines one repository after another. Raises HostBusy at most."""

    def __init__(self, account: Account, reads: Reads, rulesets: Rulesets, hooks: HookPlaces) -> None:
        self._account = account
        self._reads = reads
        self._rulesets = rulesets
        self._hooks = hooks

    def examine(self, repo: RepoRef, wanted: Wanted) -> tuple[Finding, ...]:
        """What was found; what stops everything else comes alone."""
        return tuple(self._findings(repo, wanted))

    def _findings(self, repo: RepoRef, wanted: Wanted) -> Iterator[Finding]:
        try:
            login = self._account.own_login()
            shown = self._reads.client(repo).get(self._reads.at(repo))
        except HostGone:
            yield Finding(
                Level.PROBLEM, repo.path, "our account cannot see it", "Give the account or App access to it."
            )
            return
        except ShutOut as error:
            yield Finding(Level.PROBLEM, repo.path, str(error), error.remedy)
            return
        except HostDenied as error:
            yield Finding(Level.PROBLEM, repo.host, str(error), "Check the token or the App's key in the settings.")
            return
        version = self._account.server_version()
        where = f", on GitHub Enterprise Server {version}" if version else ""
        yield Finding(Level.OK, repo.path, f"{login} can read it{where}")
        yield from renamed(repo, str(shown.get("full_name") or repo.path))
        yield from self._may_write(repo, shown)
        for branch in wanted.branches or (str(shown.get("default_branch") or "main"),):
            if wanted.checks:
                yield self._gate(repo, branch, wanted)
        if wanted.url:
            yield self._webhook(repo, wanted.url)

    def _may_write(self, repo: RepoRef, shown: Mapping[str, Any]) -> Iterator[Finding]:
        """Comments, statuses and merges need write; GitHub does not always say what we have."""
        permissions = some(shown.get("permissions"))
        if permissions and not any(permissions.get(name) is True for name in ("push", "maintain", "admin")):
            yield Finding(
                Level.PROBLEM, repo.path, "our account may only read it", "Give the account write permission."
            )
        yield from archived(repo, shown)

    def _gate(self, repo: RepoRef, branch: str, wanted: Wanted) -> Finding:
        """What a reader may see of a branch is enough: no administrator's token is needed to look."""
        subject, remedy = f"{repo.path} {branch}", f"headgate setup {repo.host} {repo.path}"
        try:
            shown = self._reads.client(repo).get(f"{self._reads.at(repo)}/branches/{quote(branch, safe='')}")
        except (HostGone, HostDenied) as error:
            return Finding(Level.PROBLEM, subject, f"the branch cannot be read: {error}")
        found = ways(self._rulesets, repo, shown, wanted.checks)
        return judged(subject, wanted.checks, found, self._account.app_id, remedy)

    def _webhook(self, repo: RepoRef, url: str) -> Finding:
        remedy = f"headgate setup {repo.host} {repo.path}"
        try:
            found = self._hooks.of(repo, url)
        except HostDenied as error:
            return Finding(Level.WARNING, repo.path, str(error), "Look in its settings, or rely on polling.")
        if found.at == APPS_OWN:
            return self._apps_own(found, url, remedy)
        if found.hook is None:
            return Finding(Level.PROBLEM, repo.path, f"no webhook goes to {url}", remedy)
        return self._answered(repo.path, found, url, remedy)

    def _apps_own(self, found: Kept, url: str, remedy: str) -> Finding:
        if some(found.hook).get("url") != url:
            text = f"the App's webhook goes to {some(found.hook).get('url') or 'nowhere'}, not to {url}"
            return Finding(Level.PROBLEM, url, text, remedy)
        if lacking := self._hooks.apps_lacking():
            text = f"the App's webhook is not told of {', '.join(lacking)}"
            return Finding(Level.PROBLEM, url, text, "Choose these events on the App's page.")
        return Finding(Level.OK, url, found.named(url))

    @staticmethod
    def _answered(subject: str, found: Kept, url: str, remedy: str) -> Finding:
        """How a webhook that is there does."""
        hook = some(found.hook)
        if hook.get("active") is not True:
            return Finding(Level.PROBLEM, subject, f"the {found.named(url)} is switched off", remedy)
        code = some(hook.get("last_response")).get("code")
        if code is None:
            unused = ", not used yet" if "last_response" in hook else ""
            return Finding(Level.OK, subject, f"{found.named(url)}{unused}")
        if isinstance(code, int) and 200 <= code < 300:
            return Finding(Level.OK, subject, f"{found.named(url)}, the last delivery was taken")
        text = f"the webhook's last delivery to {url} was answered {code}"
        return Finding(Level.PROBLEM, subject, text, remedy if code == 401 else f"Is {url} reachable from the host?")
