"""Setting a project up: its webhook, and that nobody but us may merge. Planned first, repeatable.

No check can be required by name on GitLab (https://gitlab.com/gitlab-org/gitlab/-/issues/36467), so the gate is that
only our account may merge into the branch, and nobody may push to it. Where a tier knows no single people in the rule
of a branch, the rule is for maintainers, and our account should be the only one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.gitlab.branches import covers
from bot.hosts.gitlab.inbox import EVENTS
from bot.hosts.gitlab.reads import Reads
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.gitlab.signing import PREFIX
from bot.hosts.gitlab.status_setup import StatusSetup
from bot.hosts.keeping import Hooks, Kept, kept
from bot.hosts.setup import SetupStep, Wanted
from bot.hosts.signing import readable

NOBODY: Final = 0
MAINTAINERS: Final = 40


class Setup:
    """Plans the set-up of one project after another. Raises HostError."""

    def __init__(self, settings: GitLabSettings, reads: Reads) -> None:
        self._settings = settings
        self._reads = reads
        self._client = reads.client
        self._status = StatusSetup(settings, reads, self._secret)

    def plan(self, repo: RepoRef, wanted: Wanted) -> tuple[SetupStep, ...]:
        """What is to be done, and what is done already; changes nothing."""
        branches = wanted.branches or (self._reads.default_branch(repo),)
        steps = [self._webhook(self.find_hook(repo, wanted.url), wanted.url)] if wanted.url else []
        steps += [self._protect(repo, branch) for branch in branches if wanted.checks]
        return (*steps, *(self._status.plan(repo, branches) if wanted.external and wanted.checks else ()))

    def plan_group(self, group: str, url: str) -> tuple[SetupStep, ...]:
        """One webhook for all projects of a group and of those below it. https://docs.gitlab.com/api/group_webhooks/"""
        try:
            found = kept([_of_group(group)], self._hooks, _address, url)
        except (HostGone, HostDenied):
            why = "our account is no owner of it, or the tier (below Premium) knows no webhooks of groups"
            raise HostDenied(f"the webhooks of the group {group} cannot be seen: {why}") from None
        return (self._webhook(found, url),)

    # ------------------------------------------------------------------------------------------ webhook

    def _webhook(self, found: Kept, url: str) -> SetupStep:
        hook, what = found.hook, found.named(url)
        secret = self._secret()
        kind = "signing_token" if secret.startswith(PREFIX) else "token"
        body = {"url": url, "enable_ssl_verification": url.startswith("https"), kind: secret}
        body |= dict.fromkeys(EVENTS, True)
        if hook is None:
            detail = (f"events: {', '.join(EVENTS)}", f"secret: as {kind.replace('_', ' ')}")
            return SetupStep(what, detail, partial(self._write, "POST", found.at, body))
        wrong = wrong_with(hook, signed=kind == "signing_token")
        if not wrong:
            return SetupStep(what)
        return SetupStep(what, wrong, partial(self._write, "PUT", f"{found.at}/{hook['id']}", body))

    def _secret(self) -> str:
        secrets, unreadable = readable(self._settings.webhook_secrets)
        if unreadable is not None:
            raise HostDenied(str(unreadable))
        if not secrets:
            raise HostDenied("configure webhook_secret for this host first: a delivery without a secret is refused")
        return next((each for each in secrets if each.startswith(PREFIX)), secrets[0])

    def find_hook(self, repo: RepoRef, url: str) -> Kept:
        """The webhook to us of the project, or of a group it is in, as far as we may see those. HostDenied when we
        may not look into the project's own."""
        parts = repo.path.split("/")
        groups = [_of_group("/".join(parts[:size])) for size in range(len(parts) - 1, 0, -1)]
        try:
            return kept([Kept(f"{self._reads.at(repo)}/hooks"), *groups], self._hooks, _address, url)
        except (HostGone, HostDenied):
            raise HostDenied(f"our account may not see the webhooks of {repo.path}: it is no maintainer") from None

    def _hooks(self, at: str) -> Hooks:
        return self._client.all(at, 200)[0]

    # --------------------------------------------------------------------------------------- protection

    def _protect(self, repo: RepoRef, branch: str) -> SetupStep:
        login, rules = self._reads.own_login(), self.rules(repo)
        what = f"{branch}: only {login} merges, nobody pushes"
        if not (wrong := loose(branch, rules, self._reads.own_id())):
            return SetupStep(what)
        wider = [str(rule["name"]) for rule in rules if rule.get("name") != branch and covers(rule, branch)]
        if wider and any(name in line for name in wider for line in wrong):
            wrong = (*wrong, f"the rule {', '.join(wider)} holds for other branches, too: narrow it by hand")
        rule = next((rule for rule in rules if rule.get("name") == branch), None)
        detail = (*wrong, "from now on our account alone merges; without Premium: maintainers alone")
        return SetupStep(what, detail, partial(self._write_rule, repo, branch, rule))

    def _write_rule(self, repo: RepoRef, branch: str, rule: Mapping[str, Any] | None) -> None:
        """A rule can be altered where its levels may name people (Premium); else it is made anew."""
        at = f"{self._reads.at(repo)}/protected_branches"
        ours = {"user_id": self._reads.own_id()}
        if rule is not None and any("user_id" in row for row in _rows(rule, "merge")):
            body = {
                "allow_force_push": False,
                "allowed_to_merge": [*_gone(_rows(rule, "merge")), ours],
                "allowed_to_push": [*_gone(_rows(rule, "push")), {"access_level": NOBODY}],
            }
            self._write("PATCH", f"{at}/{quote(branch, safe='')}", body)
            return
        if rule is not None:
            self._write("DELETE", f"{at}/{quote(branch, safe='')}", {})
        body = {"name": branch, "push_access_level": NOBODY, "allow_force_push": False, "allowed_to_merge": [ours]}
        self._write("POST", at, body)

    def rules(self, repo: RepoRef) -> Sequence[Mapping[str, Any]]:
        """The project's protected branches. HostDenied when we may not look."""
        try:
            found, _ = self._client.all(f"{self._reads.at(repo)}/protected_branches", 1000)
        except HostGone:
            raise HostDenied(f"our account may not administer {repo.path}") from None
        return found

    def _write(self, verb: str, path: str, body: Mapping[str, Any]) -> None:
        self._client.write(verb, path, body)


def _of_group(path: str) -> Kept:
    return Kept(f"/groups/{quote(path, safe='')}/hooks", f"the group {path}")


def _address(hook: Mapping[str, Any]) -> object:
    return hook.get("url")


def _gone(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": row.get("id"), "_destroy": True} for row in rows]


def _rows(rule: Mapping[str, Any], what: str) -> list[Mapping[str, Any]]:
    rows = rule.get(f"{what}_access_levels")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def loose(branch: str, rules: Sequence[Mapping[str, Any]], own_id: int) -> tuple[str, ...]:
    """Who besides us could merge into or push to a branch. Of several rules the most permissive one holds."""
    covering = [rule for rule in rules if covers(rule, branch)]
    if not covering:
        return ("it is not protected",)
    found = []
    for rule in covering:
        name = str(rule.get("name"))
        mergers = [row for row in _rows(rule, "merge") if not _harmless(row, own_id, MAINTAINERS, rule)]
        pushers = [row for row in _rows(rule, "push") if not _harmless(row, -1, NOBODY, rule)]
        found += [f"{_said(row)} may merge (rule {name})" for row in mergers]
        found += [f"{_said(row)} may push (rule {name})" for row in pushers]
        found += [f"it may be force-pushed (rule {name})"] if rule.get("allow_force_push") is True else []
    return tuple(found)


def by_role(branch: str, rules: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the merge is up to a role: where no single people can be named."""
    rows = [row for rule in rules if covers(rule, branch) for row in _rows(rule, "merge")]
    return any(row.get("access_level") == MAINTAINERS and row.get("user_id") is None for row in rows)


def _harmless(row: Mapping[str, Any], own_id: int, level: int, rule: Mapping[str, Any]) -> bool:
    """Nobody, or we alone; or the narrowest role, where a rule can name no people."""
    if row.get("user_id") is not None:
        return row.get("user_id") == own_id
    if row.get("group_id") is not None or row.get("deploy_key_id") is not None:
        return False
    named = any("user_id" in each for each in _rows(rule, "merge"))
    return row.get("access_level") == NOBODY or (level == MAINTAINERS and not named and row["access_level"] == level)


def _said(row: Mapping[str, Any]) -> str:
    return str(row.get("access_level_description") or row.get("access_level") or "somebody")


def wrong_with(hook: Mapping[str, Any], *, signed: bool) -> tuple[str, ...]:
    """What is to be put right about a webhook of ours; its secret cannot be seen, newer servers say if it has one."""
    lacking = [event for event in EVENTS if hook.get(event) is not True]
    present = "signing_token_present" if signed else "token_present"
    found = {
        f"events it lacks: {', '.join(lacking)}": bool(lacking),
        "it has no secret": hook.get(present) is False,
        "it is switched off after failures": hook.get("alert_status") in ("disabled", "temporarily_disabled"),
        "certificates are not checked": str(hook.get("url")).startswith("https")
        and hook.get("enable_ssl_verification") is False,
    }
    return tuple(line for line, wrong in found.items() if wrong)
