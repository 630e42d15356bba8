"""Where GitHub keeps webhooks to us: a repository's own, its organisation's, or an App's one for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.fields import some
from bot.hosts.github.account import Account
from bot.hosts.github.inbox import EVENTS
from bot.hosts.github.reads import Reads
from bot.hosts.keeping import Hooks, Kept, kept

APPS_OWN: Final = "/app/hook/config"
"""https://docs.github.com/en/rest/apps/webhooks#get-a-webhook-configuration-for-an-app"""


class HookPlaces:
    """Finds webhooks. Each raises HostBusy, HostDenied, HostGone."""

    def __init__(self, account: Account, reads: Reads) -> None:
        self._account = account
        self._reads = reads

    def of(self, repo: RepoRef, url: str) -> Kept:
        """The webhook to us that tells of a repository, as far as our account may see. HostDenied when it may not
        look into the repository's own."""
        if self._account.is_app:
            return self._apps_own()
        owner = repo.path.partition("/")[0]
        places = [Kept(f"{self._reads.at(repo)}/hooks"), _of_organisation(owner)]
        try:
            return kept(places, lambda at: self._listed(repo.path, at), _address, url)
        except HostGone:
            # To who may not administer a repository its hooks are not there.
            raise HostDenied(f"our account may not see the webhooks of {repo.path}: it is no administrator") from None

    def of_organisation(self, name: str, url: str) -> Kept:
        """The organisation's webhook to us. HostDenied when we may not look."""
        if self._account.is_app:
            return self._apps_own()
        try:
            return kept([_of_organisation(name)], lambda at: self._listed(f"{name}/", at), _address, url)
        except HostGone:
            why = "our account is no owner of it, or its token may not (`admin:org_hook`)"
            raise HostDenied(f"the webhooks of {name} cannot be seen: {why}") from None

    def apps_lacking(self) -> tuple[str, ...]:
        """Events that our App is not told of."""
        told = self._account.as_app().get("/app").get("events")
        return tuple(event for event in EVENTS if event not in (told if isinstance(told, list) else ()))

    def _apps_own(self) -> Kept:
        """An App may have been made without one; that it has one is then chosen on its page."""
        try:
            return Kept(APPS_OWN, "the App", self._account.as_app().get(APPS_OWN))
        except HostGone:
            return Kept(APPS_OWN, "the App")

    def _listed(self, place: str, at: str) -> Hooks:
        return self._account.client(place).all(at, 100)[0]


def _of_organisation(name: str) -> Kept:
    return Kept(f"/orgs/{quote(name, safe='')}/hooks", f"the organisation {name}")


def _address(hook: Mapping[str, Any]) -> object:
    return some(hook.get("config")).get("url")
