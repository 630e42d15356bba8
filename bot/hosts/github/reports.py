"""What we write on GitHub: comments, checks, deployments, the merge."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any, Final

from bot.core.errors import HostBusy, HostDenied, HostGone, HostUnclear
from bot.core.face.markdown import plain
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import CheckConclusion
from bot.hosts.answers import known_id, made_id
from bot.hosts.calling import Answer
from bot.hosts.cutting import at_word, whole_lines
from bot.hosts.github.account import Account
from bot.hosts.github.reads import Reads
from bot.hosts.github.settings import PLAN_AGAIN
from bot.hosts.remembering import REMEMBERED, Last
from bot.ports import Annotation, CheckToSet, MergeOutcome

DESCRIPTION_LIMIT: Final = 140
TITLE_LIMIT: Final = 250
TEXT_LIMIT: Final = 65535
ANNOTATIONS: Final = 50
AGAIN: Final = {"label": "Plan again", "description": "Plan this commit once more", "identifier": PLAN_AGAIN}
"""A button beside our checks: label and identifier have at most 20 characters, the description 40."""
"""Per call: https://docs.github.com/en/rest/checks/runs"""
SAME_SECONDS: Final = 300.0
"""How long a check that we set is trusted to stand as it was set."""

TASK: Final = "deploy"
_AGAIN: Final = ("base branch was modified", "already in progress", "try again")
_CONFLICT: Final = ("not mergeable", "conflict", "rebased", "draft", "closed", "already merged")


class Reports:
    """Writes with the account's clients. Each raises HostBusy, HostDenied, HostGone or HostUnclear."""

    def __init__(self, account: Account, reads: Reads, clock: Callable[[], float] = time.monotonic) -> None:
        self._account = account
        self._reads = reads
        self._clock = clock
        self._set = Last()
        self._runs = Last()
        self._unclear = Last()

    # ----------------------------------------------------------------------------------------- comments

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Edit the comment, or create one; its id. HostGone when the one to edit is not there."""
        client, issues = self._reads.client(ref.repo), f"{self._reads.at(ref.repo)}/issues"
        if comment_id:
            path = f"{issues}/comments/{known_id(comment_id)}"
            return made_id(client.write("PATCH", path, {"body": body}, content=True))
        return made_id(client.write("POST", f"{issues}/{ref.number}/comments", {"body": body}, content=True))

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None:
        """Delete it; gone already is as good."""
        path = f"{self._reads.at(ref.repo)}/issues/comments/{known_id(comment_id)}"
        try:
            self._reads.client(ref.repo).write("DELETE", path)
        except HostGone:
            return

    # ------------------------------------------------------------------------------------------- checks

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None:
        """A check run where an App allows it, else a commit status; nothing when it stands so already."""
        key, digest = _key(repo, check.sha, check.name), _digest(check)
        last = self._set.get(key)
        if last is not None and last[0] == digest and self._clock() - last[1] < SAME_SECONDS:
            return
        self._set.pop(key)
        if self._account.is_app:
            self._set_run(repo, check)
        else:
            self._set_status(repo, check)
        self._set.put(key, (digest, self._clock()))

    def foreign_hand(self, repo: RepoRef, sha: str, name: str) -> None:
        """Somebody else set this check: what we know of it may not stand any more."""
        self._set.pop(_key(repo, sha, name))

    def _set_status(self, repo: RepoRef, check: CheckToSet) -> None:
        """https://docs.github.com/en/rest/commits/statuses#create-a-commit-status"""
        body = {
            "state": check.conclusion.value,
            "context": check.name,
            "description": at_word(check.summary, DESCRIPTION_LIMIT),
            **({"target_url": check.url} if check.url else {}),
        }
        self._reads.client(repo).write("POST", f"{self._reads.at(repo)}/statuses/{check.sha}", body)

    def _set_run(self, repo: RepoRef, check: CheckToSet) -> None:
        """One run per name and commit: the one we made before is updated, so that nothing piles up.

        GitHub adds annotations to those a run has, so each is sent once.
        """
        key = _key(repo, check.sha, check.name)
        number, sent = self._runs.get(key) or self._find_run(repo, check)
        fresh = () if sent is None else tuple(each for each in check.annotations if each not in sent)
        batches = [fresh[at : at + ANNOTATIONS] for at in range(0, len(fresh), ANNOTATIONS)] or [()]
        for batch in batches:
            number = self._put_run(repo, check, number, batch)
            sent = None if sent is None else sent | set(batch)
            self._runs.put(key, (number, sent))

    def _put_run(self, repo: RepoRef, check: CheckToSet, number: int, batch: tuple[Annotation, ...]) -> int:
        client, runs = self._reads.client(repo), f"{self._reads.at(repo)}/check-runs"
        body = _run_body(check, batch)
        if number:
            client.write("PATCH", f"{runs}/{number}", body)
            return number
        return int(made_id(client.write("POST", runs, {**body, "head_sha": check.sha})))

    def _find_run(self, repo: RepoRef, check: CheckToSet) -> tuple[int, frozenset[Annotation] | None]:
        """A run that an earlier process of ours made; what it annotated is not known (None)."""
        path = f"{self._reads.at(repo)}/commits/{check.sha}/check-runs?app_id={self._account.app_id}"
        found, _ = self._reads.client(repo).all(path, REMEMBERED, "check_runs")
        mine = (each for each in found if each.get("name") == check.name)
        run = next((each for each in mine if isinstance(each.get("id"), int)), None)
        if run is None:
            return 0, frozenset()
        output = run.get("output")
        bare = not (output.get("annotations_count") if isinstance(output, dict) else 0)
        return int(run["id"]), frozenset() if bare else None

    # -------------------------------------------------------------------------------------------- merge

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Merge if the head still is ``head_sha``. HostDenied carries the host's words when a rule refuses.

        https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request: 405 not mergeable, 409 head moved.
        """
        title, _, rest = message.partition("\n")
        body = {"sha": head_sha, "merge_method": method}
        body |= {"commit_title": at_word(title, TITLE_LIMIT)} if title.strip() else {}
        body |= {"commit_message": rest.strip()} if rest.strip() else {}
        path = f"{self._reads.at(ref.repo)}/pulls/{ref.number}/merge"
        answer = self._reads.client(ref.repo).send("PUT", path, body, expect=(405, 409))
        if answer.status == 409:
            return MergeOutcome.HEAD_MOVED
        return _not_merged(answer) if answer.status == 405 else MergeOutcome.MERGED

    # -------------------------------------------------------------------------------------- deployments

    def set_deployment(
        self, repo: RepoRef, deployment_id: str, sha: str, environment: str, state: str, url: str, description: str
    ) -> str:
        """Create a deployment (empty id), then set its state; the id.

        https://docs.github.com/en/rest/deployments/deployments: without ``auto_merge`` GitHub would merge the
        default branch into the commit, with ``required_contexts`` it would refuse what is not green.
        """
        text = at_word(description, DESCRIPTION_LIMIT)
        if not deployment_id:
            deployment_id = self._deployment(repo, sha, environment, text)
        status = {
            "state": state,
            "description": text,
            "environment": environment,
            "auto_inactive": True,
            **({"log_url": url} if url else {}),
        }
        path = f"{self._reads.at(repo)}/deployments/{known_id(deployment_id)}/statuses"
        self._reads.client(repo).write("POST", path, status)
        return deployment_id

    def _deployment(self, repo: RepoRef, sha: str, environment: str, text: str) -> str:
        """A new deployment; or the one whose making was unclear the last time, if it is there after all."""
        key = (repo.path, sha, environment, text)
        if self._unclear.get(key) and (found := self._find_deployment(repo, sha, environment, text)):
            self._unclear.pop(key)
            return found
        wanted: dict[str, Any] = {
            "ref": sha,
            "task": TASK,
            "environment": environment,
            "description": text,
            "auto_merge": False,
            "required_contexts": [],
        }
        try:
            made = self._reads.client(repo).write("POST", f"{self._reads.at(repo)}/deployments", wanted)
        except HostUnclear:
            self._unclear.put(key, True)
            raise
        self._unclear.pop(key)
        return made_id(made)

    def _find_deployment(self, repo: RepoRef, sha: str, environment: str, text: str) -> str:
        path = f"{self._reads.at(repo)}/deployments?sha={sha}"
        found, _ = self._reads.client(repo).all(path, 100)
        same = (each for each in found if (each.get("environment"), each.get("description")) == (environment, text))
        return next((str(each["id"]) for each in same if each.get("id")), "")


def _not_merged(answer: Answer) -> MergeOutcome:
    """A conflict is an outcome; a rule that refuses is told in the host's words; a passing state is tried again."""
    said = answer.said.lower()
    if any(word in said for word in _AGAIN):
        raise HostBusy(f"the merge must be tried again: {answer.said}", 5.0)
    if not said or any(word in said for word in _CONFLICT):
        return MergeOutcome.NOT_MERGEABLE
    raise HostDenied(answer.said)


def _run_body(check: CheckToSet, batch: tuple[Annotation, ...]) -> dict[str, Any]:
    """https://docs.github.com/en/rest/checks/runs#update-a-check-run"""
    done = check.conclusion is not CheckConclusion.PENDING
    output: dict[str, Any] = {
        "title": at_word(check.summary, DESCRIPTION_LIMIT) or check.name,
        # The title is text, the summary is Markdown: https://docs.github.com/en/rest/checks/runs#create-a-check-run
        "summary": plain(check.summary) or check.name,
    }
    output |= {"text": whole_lines(check.text, TEXT_LIMIT)} if check.text else {}
    output |= {"annotations": [_annotation(each) for each in batch]} if batch else {}
    return {
        "name": check.name,
        "status": "completed" if done else "in_progress",
        **({"conclusion": check.conclusion.value} if done else {}),
        **({"details_url": check.url} if check.url else {}),
        "output": output,
        **({"actions": [AGAIN]} if done else {}),
    }


def _annotation(each: Annotation) -> dict[str, object]:
    line = max(each.line, 1)
    return {
        "path": each.path,
        "start_line": line,
        "end_line": line,
        "annotation_level": each.level if each.level in ("notice", "warning", "failure") else "failure",
        "message": whole_lines(each.message, TEXT_LIMIT) or "see the check",
    }


def _key(repo: RepoRef, sha: str, name: str) -> tuple[str, ...]:
    return (repo.path, sha, name)


def _digest(check: CheckToSet) -> str:
    told = [check.conclusion.value, check.summary, check.url, check.text, [repr(each) for each in check.annotations]]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
