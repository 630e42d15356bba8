"""External status checks: GitLab asks about each state of a merge request, and waits for an answer for its very head.

Only Ultimate has them: https://docs.gitlab.com/api/status_checks/. On other tiers GitLab answers that it does not
know us (401), as it does to who may not ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bot.core.errors import HostDenied, HostGone
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import CheckConclusion
from bot.hosts.gitlab.reads import Reads
from bot.hosts.gitlab.settings import GitLabSettings
from bot.hosts.gitlab.status_setup import stands_for
from bot.hosts.remembering import Aging, Last
from bot.ports import CheckToSet

LISTED_SECONDS: Final = 60.0
NONE_SECONDS: Final = 600.0
"""How long a project is taken to have none where GitLab tells of none to us."""

WORDS: Final[Mapping[CheckConclusion, str]] = {
    CheckConclusion.PENDING: "pending",
    CheckConclusion.SUCCESS: "passed",
    CheckConclusion.FAILURE: "failed",
}


class StatusChecks:
    """Answers with the account's client. Each raises HostBusy, HostDenied, HostGone or HostUnclear."""

    def __init__(self, reads: Reads, settings: GitLabSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._reads = reads
        self._settings = settings
        self._listed = Aging(LISTED_SECONDS, clock)
        self._none = Aging(NONE_SECONDS, clock)
        self._asked_by = Last()

    # ------------------------------------------------------------------------------------------- which

    def heard(self, repo: RepoRef, number: int) -> None:
        """That check asked us, signed: it is one of ours, whatever it is called."""
        known: frozenset[int] = self._asked_by.get((repo.path,)) or frozenset()
        self._asked_by.put((repo.path,), known | {number})
        self._listed.put((repo.path,), None)
        self._none.put((repo.path,), None)

    def of(self, repo: RepoRef) -> Sequence[Mapping[str, Any]]:
        """The project's; none where the tier has none, or we may not ask."""
        if self._none.get((repo.path,)):
            return ()
        known: Sequence[Mapping[str, Any]] | None = self._listed.get((repo.path,))
        if known is None:
            try:
                known, _ = self._reads.client.all(f"{self._reads.at(repo)}/external_status_checks", 200)
            except (HostDenied, HostGone):
                self._none.put((repo.path,), True)
                return ()
            self._listed.put((repo.path,), known)
        return known

    def gates(self, repo: RepoRef) -> tuple[Mapping[str, Any], ...]:
        """Those that stand for our gate: called so, or asking at our address."""
        return tuple(each for each in self.of(repo) if stands_for(each, self._settings))

    # ------------------------------------------------------------------------------------------ answers

    def answer(self, repo: RepoRef, check: CheckToSet) -> None:
        """Tell the services that stand for our gate what it says of this change's head."""
        if check.change is None or check.name != self._settings.gate:
            return
        asked: frozenset[int] = self._asked_by.get((repo.path,)) or frozenset()
        numbers = {each.get("id") for each in self.gates(repo)} | asked
        for number in sorted(number for number in numbers if isinstance(number, int)):
            self._say(check.change, number, check.sha, WORDS[check.conclusion])

    def _say(self, ref: ChangeRef, number: int, sha: str, word: str) -> None:
        """https://docs.gitlab.com/api/status_checks/#set-status-of-an-external-status-check

        Before GitLab 16.5 an answer could not be taken back to pending: then what was green must turn red.
        """
        path = f"{self._reads.at(ref.repo)}/merge_requests/{ref.number}/status_check_responses"
        body = {"sha": sha, "external_status_check_id": number, "status": word}
        answer = self._reads.client.send("POST", path, body, expect=(400, 401, 404, 409))
        if answer.status == 400 and word == WORDS[CheckConclusion.PENDING]:
            self._say(ref, number, sha, WORDS[CheckConclusion.FAILURE])
        elif answer.status == 400:
            raise HostDenied(f"the external status check was refused: {answer.said}")
        elif answer.status in (401, 404):
            # It was taken away, or the licence was; of a head that moved on (409) nothing is to be told.
            self._forget(ref.repo, number)

    def _forget(self, repo: RepoRef, number: int) -> None:
        known: frozenset[int] = self._asked_by.get((repo.path,)) or frozenset()
        self._asked_by.put((repo.path,), known - {number})
        self._listed.put((repo.path,), None)
