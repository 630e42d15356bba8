"""Having GitLab ask us before a merge: an external status check of the project, where its tier has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from bot.core.errors import HostDenied, HostGone
from bot.core.model import RepoRef
from bot.hosts.gitlab.branches import covers
from bot.hosts.gitlab.reads import Reads
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.setup import SetupStep
from bot.hosts.signing import Secret

MUST_PASS: Final = "only_allow_merge_if_all_status_checks_passed"  # noqa: S105 - a setting's name
"""https://docs.gitlab.com/user/project/merge_requests/status_checks/: else they hold nothing back."""


class StatusSetup:
    """Plans it for one project after another. ``secret`` gives the webhook's. Raises HostError."""

    def __init__(self, settings: GitLabSettings, reads: Reads, secret: Secret) -> None:
        self._settings = settings
        self._reads = reads
        self._client = reads.client
        self._secret = secret

    def plan(self, repo: RepoRef, branches: Sequence[str]) -> tuple[SetupStep, ...]:
        """What is to be done that GitLab asks us about changes for these branches, and waits for our answer."""
        url = self._settings.webhook_url
        if not url:
            raise HostDenied("an external status check asks us at our public address: set `listen.public_url`")
        try:
            there, _ = self._client.all(f"{self._reads.at(repo)}/external_status_checks", 200)
        except (HostDenied, HostGone):
            why = "they need Ultimate, and a maintainer"
            raise HostDenied(f"{repo.path} has no external status checks that we may see: {why}") from None
        ours = next((each for each in there if stands_for(each, self._settings)), None)
        return (self._check(repo, url, branches, ours), self._waiting(repo))

    def _check(self, repo: RepoRef, url: str, branches: Sequence[str], ours: Mapping[str, Any] | None) -> SetupStep:
        what = f"external status check {self._settings.gate} asks {url}"
        act = partial(self._write, repo, {"external_url": url, "shared_secret": self._secret()}, branches)
        if ours is None:
            detail = (f"about changes for {', '.join(branches)}", "signed with the webhook's secret")
            return SetupStep(what, detail, partial(act, number=0))
        wrong = flaws(ours, url, branches)
        return SetupStep(what, wrong, partial(act, number=int(ours.get("id") or 0)) if wrong else None)

    def _write(self, repo: RepoRef, body: Mapping[str, Any], branches: Sequence[str], *, number: int) -> None:
        """Branches are named by the numbers of their rules, which a step before this one may have made anew."""
        at = self._reads.at(repo)
        rules, _ = self._client.all(f"{at}/protected_branches", 1000)
        numbers = [rule.get("id") for rule in rules if any(covers(rule, branch) for branch in branches)]
        body = {**body, "protected_branch_ids": numbers}
        if number:
            self._client.write("PUT", f"{at}/external_status_checks/{number}", body)
        else:
            self._client.write("POST", f"{at}/external_status_checks", {**body, "name": self._settings.gate})

    def _waiting(self, repo: RepoRef) -> SetupStep:
        what = "merges wait for external status checks"
        if self._reads.project(repo).get(MUST_PASS) is True:
            return SetupStep(what)
        detail = ("for those of all services that are asked, not for ours alone",)
        return SetupStep(what, detail, partial(self._wait, repo))

    def _wait(self, repo: RepoRef) -> None:
        self._client.write("PUT", self._reads.at(repo), {MUST_PASS: True})


def stands_for(check: Mapping[str, Any], settings: GitLabSettings) -> bool:
    """Whether an external status check stands for our gate: is called so, or asks at our address."""
    url = settings.webhook_url
    return check.get("name") == settings.gate or bool(url and check.get("external_url") == url)


def flaws(check: Mapping[str, Any], url: str, branches: Sequence[str]) -> tuple[str, ...]:
    """What is to be put right about one of ours."""
    listed = check.get("protected_branches")
    rules = [rule for rule in listed if isinstance(rule, dict)] if isinstance(listed, list) else []
    missed = [branch for branch in branches if not any(covers(rule, branch) for rule in rules)]
    found = {
        f"it asks {check.get('external_url')}": check.get("external_url") != url,
        "its questions are not signed, so they are refused": check.get("hmac") is False,
        f"it is asked about every branch, and answered for {', '.join(branches)}": not rules,
        f"it is not asked about {', '.join(missed)}": bool(rules and missed),
    }
    return tuple(line for line, wrong in found.items() if wrong)
