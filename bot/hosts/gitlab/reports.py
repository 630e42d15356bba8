"""What we write on GitLab: notes, statuses, deployments."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from bot.core.errors import HostBusy, HostDenied, HostGone, HostUnclear
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import CheckConclusion
from bot.hosts.answers import known_id, made_id
from bot.hosts.cutting import at_word
from bot.hosts.gitlab.reads import Reads
from bot.hosts.gitlab.status_checks import StatusChecks
from bot.hosts.remembering import Aging, Last
from bot.ports import CheckToSet

COMMENT_LIMIT: Final = 200_000
"""Characters; our own bound. GitLab takes a million, and its pages become slow long before."""
FIELD_LIMIT: Final = 255
SAME_SECONDS: Final = 300.0
"""How long a status that we set is trusted to stand as it was set."""

WAITING: Final = ("pending", "running")
"""What a status says that waits, in the order in which it can step from one to the other."""
WORDS: Final[Mapping[CheckConclusion, str]] = {
    CheckConclusion.SUCCESS: "success",
    CheckConclusion.FAILURE: "failed",
}
DEPLOYMENTS: Final[Mapping[str, str]] = {"success": "success", "failure": "failed", "inactive": "canceled"}
"""Others are running: https://docs.gitlab.com/api/deployments/#create-a-deployment"""

OURS: Final = "external"
"""The source of a pipeline that statuses made."""

_SHA: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_NO_STEP: Final = re.compile(r"cannot transition status", re.IGNORECASE)
_ORDER: Final = re.compile(r"^([ \t]*)/(?=[A-Za-z])", re.MULTILINE)
_NAME: Final = re.compile(r"[^A-Za-z0-9_/${}. -]")


class Reports:
    """Writes with the account's client. Each raises HostBusy, HostDenied, HostGone or HostUnclear."""

    def __init__(
        self, reads: Reads, status_checks: StatusChecks, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reads = reads
        self._status_checks = status_checks
        self._client = reads.client
        self._set = Aging(SAME_SECONDS, clock)
        self._states = Last()
        self._waits = Last()
        self._unclear = Last()

    # ----------------------------------------------------------------------------------------- comments

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Edit the note, or create one; its id. HostGone when the one to edit is not there."""
        if len(body) > COMMENT_LIMIT:
            raise HostDenied(f"a comment may have {COMMENT_LIMIT} characters")
        notes = f"{self._reads.at(ref.repo)}/merge_requests/{ref.number}/notes"
        words = {"body": without_orders(body)}
        if comment_id:
            return made_id(self._client.write("PUT", f"{notes}/{known_id(comment_id)}", words))
        return made_id(self._client.write("POST", notes, words))

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None:
        """Delete it; gone already is as good."""
        notes = f"{self._reads.at(ref.repo)}/merge_requests/{ref.number}/notes"
        try:
            self._client.write("DELETE", f"{notes}/{known_id(comment_id)}")
        except HostGone:
            return

    # ----------------------------------------------------------------------------------------- statuses

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None:
        """A commit's status, unless it stands so already; and our word where GitLab asked for it."""
        key, told = (repo.path, check.sha, check.name), (check.conclusion, check.summary, check.url)
        if self._set.get(key) != told:
            self._set.put(key, None)
            self._set_status(repo, check)
            self._set.put(key, told)
        self._status_checks.answer(repo, check)

    def _set_status(self, repo: RepoRef, check: CheckToSet) -> None:
        """https://docs.gitlab.com/api/commits/#set-commit-pipeline-status

        Where a status is it cannot step to, so that other words for what still waits would never be shown: they are
        said with the other word for waiting, and when both are spent by a job anew, for which the last is cancelled.
        """
        if not _SHA.fullmatch(check.sha):
            raise HostGone(f"no such commit: {check.sha[:40]!r}")
        body: dict[str, Any] = {
            "name": check.name,
            "description": at_word(check.summary, FIELD_LIMIT),
            **({"target_url": check.url} if 0 < len(check.url) <= FIELD_LIMIT else {}),
            **self._place(repo, check.sha),
        }
        key, path = (repo.path, check.sha, check.name), f"{self._reads.at(repo)}/statuses/{check.sha}"
        if check.conclusion is not CheckConclusion.PENDING:
            self._waits.pop(key)
            self._step(path, body, WORDS[check.conclusion])
            return
        spent = WAITING.index(last) + 1 if (last := self._waits.get(key)) else 0
        word = next((each for each in WAITING[spent:] if self._step(path, body, each)), "")
        if not word:
            self._step(path, body, "canceled")
            word = WAITING[0]
            if not self._step(path, body, word):
                raise HostBusy("the status must be set again: somebody else did at the same time", 2.0)
        self._waits.put(key, word)

    def _step(self, path: str, body: Mapping[str, Any], word: str) -> bool:
        """Whether the status took the step. 409 says that somebody else holds the pipeline's lock."""
        answer = self._client.send("POST", path, {**body, "state": word}, expect=(400, 409))
        if answer.status == 409:
            raise HostBusy(f"the status must be set again: {answer.said}", 2.0)
        if answer.status == 400 and not _NO_STEP.search(answer.said):
            raise HostDenied(f"the status was refused: {answer.said}")
        return answer.status != 400

    def _place(self, repo: RepoRef, sha: str) -> dict[str, Any]:
        """The pipeline that the status joins. Left to itself GitLab makes one more that can hide the real one, and
        two at the same time make two (https://gitlab.com/gitlab-org/gitlab/-/issues/300720)."""
        query = urlencode({"sha": sha, "order_by": "id", "sort": "desc"})
        try:
            found, _ = self._client.all(f"{self._reads.at(repo)}/pipelines?{query}", 100)
        except (HostGone, HostDenied):
            found = []  # pipelines may be switched off in a project
        ref = self._reads.refs.get((repo.path, sha))
        own = [each for each in found if str(each.get("ref") or "").startswith("refs/merge-requests/")]
        branch = [each for each in found if each.get("ref") == ref]
        real = [each for each in (*own, *branch) if each.get("source") != OURS]
        best = next((each for each in (*real, *own, *branch) if isinstance(each.get("id"), int)), None)
        if best is not None:
            return {"pipeline_id": best["id"], "ref": best.get("ref")}
        return {"ref": ref} if ref else {}

    # -------------------------------------------------------------------------------------- deployments

    def set_deployment(self, repo: RepoRef, deployment_id: str, sha: str, environment: str, state: str) -> str:
        """Create a deployment (empty id), or set its state; the id. What is finished stays as it is."""
        word, at = DEPLOYMENTS.get(state, "running"), f"{self._reads.at(repo)}/deployments"
        if not deployment_id:
            deployment_id = self._create(repo, at, sha, environment, word)
        elif self._states.get((repo.path, deployment_id)) != word:
            answer = self._client.send("PUT", f"{at}/{known_id(deployment_id)}", {"status": word}, expect=(400,))
            if answer.status == 400 and "transition" not in answer.said.lower():
                raise HostDenied(f"the deployment's state was refused: {answer.said}")
        self._states.put((repo.path, deployment_id), word)
        return deployment_id

    def _create(self, repo: RepoRef, at: str, sha: str, environment: str, word: str) -> str:
        """A new deployment; or the one whose making was unclear the last time, if it is there after all."""
        name = _NAME.sub("-", environment)[:FIELD_LIMIT]
        key = (repo.path, sha, name)
        if self._unclear.get(key) and (found := self._find(at, sha, name)):
            self._unclear.pop(key)
            return found
        branch = self._reads.default_branch(repo)
        body = {"environment": name, "sha": sha, "ref": branch, "tag": False, "status": word}
        try:
            made = self._client.write("POST", at, body)
        except HostUnclear:
            self._unclear.put(key, True)
            raise
        self._unclear.pop(key)
        return made_id(made)

    def _find(self, at: str, sha: str, name: str) -> str:
        query = urlencode({"environment": name, "order_by": "id", "sort": "desc"})
        found = next(iter(self._client.pages(f"{at}?{query}")), [])
        return next((str(each["id"]) for each in found if each.get("sha") == sha and each.get("id")), "")


def without_orders(body: str) -> str:
    """Our words, but no line that GitLab would take for a quick action and carry out in our name: a plan may print
    anything at the beginning of a line. The mark put before the slash takes no place.

    https://docs.gitlab.com/user/project/quick_actions/
    """
    return _ORDER.sub("\\1\u2060/", body)
