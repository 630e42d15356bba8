"""Setting a repository up: its webhook, and that its branch requires our checks. Planned first, repeatable."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.fields import some
from bot.hosts.github.account import Account
from bot.hosts.github.hooks import APPS_OWN, HookPlaces
from bot.hosts.github.inbox import EVENTS
from bot.hosts.github.protection import foreign, missing, required_checks, with_checks
from bot.hosts.github.reads import Reads
from bot.hosts.github.rulesets import Rulesets
from bot.hosts.github.settings import GitHubSettings
from bot.hosts.keeping import Kept
from bot.hosts.setup import SetupStep, Wanted

REFUSED: Final = 401
"""What we answer to a delivery whose signature is wrong."""


class Setup:
    """Plans the set-up of one repository after another. Raises HostError."""

    def __init__(
        self, settings: GitHubSettings, account: Account, reads: Reads, hooks: HookPlaces, rulesets: Rulesets
    ) -> None:
        self._settings = settings
        self._account = account
        self._reads = reads
        self._hooks = hooks
        self._rulesets = rulesets

    def plan(self, repo: RepoRef, wanted: Wanted) -> tuple[SetupStep, ...]:
        """What is to be done, and what is done already; changes nothing."""
        branches = wanted.branches or (self._reads.default_branch(repo),)
        steps = [self._webhook(repo.path, self._hooks.of(repo, wanted.url), wanted.url)] if wanted.url else []
        if not wanted.checks:
            return tuple(steps)
        if wanted.ruleset:
            steps.append(self._rulesets.plan(repo, branches, wanted.checks))
        protected = (self._protect(repo, branch, wanted.checks, ruled=wanted.ruleset) for branch in branches)
        return (*steps, *filter(None, protected))

    def plan_group(self, group: str, url: str) -> tuple[SetupStep, ...]:
        """One webhook for all repositories of an organisation; an App has one for all of its own."""
        return (self._webhook(f"{group}/", self._hooks.of_organisation(group, url), url),)

    # ------------------------------------------------------------------------------------------ webhook

    def _webhook(self, place: str, found: Kept, url: str) -> SetupStep:
        """``place`` is whose client writes it."""
        hook, what = found.hook, found.named(url)
        if found.at == APPS_OWN:
            return self._apps_own(found, url)
        if hook is None:
            detail = (f"events: {', '.join(EVENTS)}", "content type: application/json, signed with the secret")
            body = {"name": "web", "active": True, "events": list(EVENTS), "config": self._config(url)}
            return SetupStep(what, detail, partial(self._write, place, "POST", found.at, body))
        wrong = _wrong_with(hook)
        if not wrong:
            return SetupStep(what)
        events = sorted({*_texts(hook.get("events")), *EVENTS})
        body = {"active": True, "events": events, "config": self._config(url)}
        return SetupStep(what, wrong, partial(self._write, place, "PATCH", f"{found.at}/{hook['id']}", body))

    def _apps_own(self, found: Kept, url: str) -> SetupStep:
        """Its address and secret are set by the API, its events and whether it is on by people alone.

        https://docs.github.com/en/rest/apps/webhooks#update-a-webhook-configuration-for-an-app
        """
        hook, lacking = some(found.hook), self._hooks.apps_lacking()
        by_hand = (f"to be chosen on the App's page, by hand: {', '.join(lacking)}",) if lacking else ()
        wrong = {f"it goes to {hook.get('url') or 'nowhere'}": hook.get("url") != url, **_config_flaws(hook)}
        detail = tuple(line for line, is_so in wrong.items() if is_so)
        if not detail:
            return SetupStep(found.named(url), by_hand)
        detail = (*detail, *by_hand, "if it was made without a webhook, switch it on there, too")
        return SetupStep(found.named(url), detail, partial(self._write_apps_own, self._config(url)))

    def _write_apps_own(self, config: Mapping[str, str]) -> None:
        self._account.as_app().write("PATCH", APPS_OWN, config)

    def _config(self, url: str) -> dict[str, str]:
        secret = next((supply().strip() for supply in self._settings.webhook_secrets), "")
        if not secret:
            raise HostDenied("configure webhook_secret for this host first: a delivery without a secret is refused")
        return {"url": url, "content_type": "json", "insecure_ssl": "0", "secret": secret}

    # --------------------------------------------------------------------------------------- protection

    def _protect(self, repo: RepoRef, branch: str, names: tuple[str, ...], *, ruled: bool) -> SetupStep | None:
        """Where a ruleset requires the checks, the branch's own protection need not: then only what stands there in
        the way of them is put right. None when there is nothing to say about it."""
        path = f"{self._reads.at(repo)}/branches/{quote(branch, safe='')}/protection"
        what = f"{branch} requires {', '.join(names)}"
        shown, app_id = self._protection(repo, path), self._account.app_id
        own = required_checks(shown.get("required_status_checks"))
        lacking = foreign(names, own, app_id)
        if ruled and not lacking:
            return None
        by_rules = tuple(each.required for each in self._rulesets.of_branch(repo, branch))
        lacking = lacking or missing(names, (*own, *by_rules), app_id)
        if not lacking:
            return SetupStep(what)
        kept = [each.name for each in required_checks(shown.get("required_status_checks")) if each.name not in names]
        source = "from our App only" if self._account.is_app else "from any source (only an App's can be told apart)"
        detail = (
            f"required from now on: {', '.join(lacking)}, {source}",
            f"kept: {', '.join(kept) or 'no other check is required'}; every other rule as it is"
            if shown
            else "the branch is not protected yet; nothing else will be required",
        )
        body = with_checks(shown, names, self._account.app_id)
        return SetupStep(what, detail, partial(self._write, repo.path, "PUT", path, body))

    def _protection(self, repo: RepoRef, path: str) -> Mapping[str, Any]:
        try:
            return self._reads.client(repo).get(path)
        except HostGone as error:
            if "not protected" in str(error).lower():
                return {}
            raise HostDenied(f"{error}: our account may not administer {repo.path}, or has no such branch") from None

    def _write(self, place: str, verb: str, path: str, body: Mapping[str, Any]) -> None:
        self._account.client(place).write(verb, path, body)


def _wrong_with(hook: Mapping[str, Any]) -> tuple[str, ...]:
    """What is to be put right about a webhook of ours; its secret cannot be read, only seen to fail."""
    config = some(hook.get("config"))
    lacking = [event for event in EVENTS if event not in _texts(hook.get("events"))]
    if "*" in _texts(hook.get("events")):
        lacking = []
    found = {
        "it is switched off": hook.get("active") is not True,
        f"events it lacks: {', '.join(lacking)}": bool(lacking),
        **_config_flaws(config),
        "its secret is another one than ours": some(hook.get("last_response")).get("code") == REFUSED,
    }
    return tuple(line for line, wrong in found.items() if wrong)


def _config_flaws(config: Mapping[str, Any]) -> dict[str, bool]:
    return {
        "content type: application/json": config.get("content_type") != "json",
        "it has no secret": not config.get("secret"),
        "certificates are not checked": str(config.get("insecure_ssl", "0")) != "0",
    }


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
