"""Setting a repository up: its webhook, and that its branch requires our statuses. Planned first, repeatable."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.fields import some
from bot.hosts.gitea.inbox import EVENTS
from bot.hosts.gitea.protection import absent, new_rule, required, rule_of, with_checks
from bot.hosts.gitea.reads import Reads
from bot.hosts.gitea.settings import GiteaSettings
from bot.hosts.keeping import Hooks, Kept, kept
from bot.hosts.setup import SetupStep, Wanted
from bot.hosts.signing import readable

NEEDED: Final = ("push", "pull_request", "pull_request_label", "pull_request_comment", "pull_request_sync")
"""What a webhook of ours must be told; reviews are spelled in several ways, and statuses not every version tells."""
SETTABLE: Final = "a secret cannot be seen or replaced: delete the webhook if its deliveries are refused"


class Setup:
    """Plans the set-up of one repository after another. Raises HostError."""

    def __init__(self, settings: GiteaSettings, reads: Reads) -> None:
        self._settings = settings
        self._reads = reads
        self._client = reads.client

    def plan(self, repo: RepoRef, wanted: Wanted) -> tuple[SetupStep, ...]:
        """What is to be done, and what is done already; changes nothing."""
        branches = wanted.branches or (self._reads.default_branch(repo),)
        steps = [self._webhook(self.find_hook(repo, wanted.url), wanted.url)] if wanted.url else []
        return (*steps, *(self._protect(repo, branch, wanted.checks) for branch in branches if wanted.checks))

    def plan_group(self, group: str, url: str) -> tuple[SetupStep, ...]:
        """One webhook for all repositories of an organisation."""
        try:
            found = kept([_of_organisation(group)], self._hooks, _address, url)
        except (HostGone, HostDenied):
            raise HostDenied(f"our account may not see the webhooks of {group}: it is no owner of it") from None
        return (self._webhook(found, url),)

    # ------------------------------------------------------------------------------------------ webhook

    def _webhook(self, found: Kept, url: str) -> SetupStep:
        hook, what = found.hook, found.named(url)
        if hook is None:
            detail = (f"events: {', '.join(EVENTS)}", "content type: application/json, signed with the secret")
            config = {"url": url, "content_type": "json", "secret": self._secret()}
            body = {"type": "gitea", "active": True, "events": list(EVENTS), "config": config}
            return SetupStep(what, detail, partial(self._write, "POST", found.at, body))
        wrong = wrong_with(hook)
        if not wrong:
            return SetupStep(what, (SETTABLE,))
        # What is not said of a webhook is emptied, so all of it is.
        body = {
            "active": True,
            "events": sorted({*_texts(hook.get("events")), *EVENTS}),
            "config": {"url": url, "content_type": "json"},
            "branch_filter": str(hook.get("branch_filter") or ""),
            "authorization_header": str(hook.get("authorization_header") or ""),
        }
        return SetupStep(what, wrong, partial(self._write, "PATCH", f"{found.at}/{hook['id']}", body))

    def _secret(self) -> str:
        secrets, unreadable = readable(self._settings.webhook_secrets[:1])
        if unreadable is not None:
            raise HostDenied(str(unreadable))
        if not secrets:
            raise HostDenied("configure webhook_secret for this host first: a delivery without a secret is refused")
        return secrets[0]

    def find_hook(self, repo: RepoRef, url: str) -> Kept:
        """The webhook to us of the repository, or of its organisation, if we may see that. HostDenied when we may not
        look into the repository's own."""
        places = [Kept(f"{self._reads.at(repo)}/hooks"), _of_organisation(repo.path.partition("/")[0])]
        try:
            return kept(places, self._hooks, _address, url)
        except (HostGone, HostDenied):
            raise HostDenied(f"our account may not see the webhooks of {repo.path}: it is no administrator") from None

    def _hooks(self, at: str) -> Hooks:
        return self._client.all(at, 100)[0]

    # --------------------------------------------------------------------------------------- protection

    def _protect(self, repo: RepoRef, branch: str, names: tuple[str, ...]) -> SetupStep:
        what, rules = f"{branch} requires {', '.join(names)}", f"{self._reads.at(repo)}/branch_protections"
        shown = self._client.get(f"{self._reads.at(repo)}/branches/{quote(branch, safe='')}")
        lacking = ", ".join(absent(names, shown))
        if not lacking:
            return SetupStep(what)
        if not shown.get("protected"):
            detail = (f"required from now on: {lacking}", "the branch is protected from now on: nobody pushes to it")
            return SetupStep(what, detail, partial(self._write, "POST", rules, new_rule(branch, names)))
        rule = self._rule(repo, rules, rule_of(shown) or branch)
        name = str(rule.get("rule_name") or branch)
        kept = ", ".join(each for each in required(rule) if each not in names)
        detail = (
            f"required from now on: {lacking}",
            f"kept: {kept or 'no other status is required'}; every other rule as it is",
            *((f"by its rule {name}, which holds for other branches, too",) if name != branch else ()),
        )
        path = f"{rules}/{quote(name, safe='')}"
        return SetupStep(what, detail, partial(self._write, "PATCH", path, with_checks(rule, names)))

    def _rule(self, repo: RepoRef, rules: str, name: str) -> Mapping[str, Any]:
        try:
            return self._client.get(f"{rules}/{quote(name, safe='')}")
        except (HostGone, HostDenied):
            raise HostDenied(f"our account may not administer {repo.path}") from None

    def _write(self, verb: str, path: str, body: Mapping[str, Any]) -> None:
        self._client.write(verb, path, body)


def _of_organisation(name: str) -> Kept:
    return Kept(f"/orgs/{quote(name, safe='')}/hooks", f"the organisation {name}")


def _address(hook: Mapping[str, Any]) -> object:
    return some(hook.get("config")).get("url")


def wrong_with(hook: Mapping[str, Any]) -> tuple[str, ...]:
    """What is to be put right about a webhook of ours; its secret the server does not show."""
    config, events = some(hook.get("config")), _texts(hook.get("events"))
    lacking = [event for event in NEEDED if event not in events]
    reviewed = any(each.startswith("pull_request_review") and not each.endswith("_request") for each in events)
    lacking += [] if reviewed else ["pull_request_review"]
    found = {
        "it is switched off": hook.get("active") is not True,
        f"events it lacks: {', '.join(lacking)}": bool(lacking),
        "content type: application/json": config.get("content_type") != "json",
    }
    return tuple(line for line, wrong in found.items() if wrong)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
