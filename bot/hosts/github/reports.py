"""What we write on GitHub: comments, checks, deployments, the merge."""

from __future__ import annotations

from typing import Any, Final

from bot.core.errors import HostDenied, HostGone
from bot.core.model import ChangeRef, RepoRef
from bot.core.record import CheckConclusion
from bot.hosts.github.account import Account
from bot.hosts.github.client import Client, iterate
from bot.ports import Annotation, CheckToSet, MergeOutcome

DESCRIPTION_LIMIT: Final = 140
TEXT_LIMIT: Final = 65535
ANNOTATIONS: Final = 50
"""Per call: https://docs.github.com/en/rest/checks/runs"""


class Reports:
    """Writes with the account's clients."""

    def __init__(self, account: Account, instance: str) -> None:
        self._account = account
        self._instance = instance
        self._runs: dict[tuple[str, str, str], int] = {}

    def _client(self, repo: RepoRef) -> Client:
        return self._account.client(repo.path)

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Edit the comment, or create one; its id."""
        client, issues = self._client(ref.repo), f"/repos/{ref.repo.path}/issues"
        if comment_id:
            data = client.write("PATCH", f"{issues}/comments/{comment_id}", {"body": body}, content=True)
        else:
            data = client.write("POST", f"{issues}/{ref.number}/comments", {"body": body}, content=True)
        return str(data["id"])

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None:
        """Delete it; gone already is as good."""
        try:
            self._client(ref.repo).write("DELETE", f"/repos/{ref.repo.path}/issues/comments/{comment_id}")
        except HostGone:
            return

    # ------------------------------------------------------------------------------------------- checks

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None:
        """A check run where an App allows it, else a commit status."""
        if self._account.is_app:
            self._set_run(repo, check)
        else:
            self._set_status(repo, check)

    def _set_status(self, repo: RepoRef, check: CheckToSet) -> None:
        body = {
            "state": check.conclusion.value,
            "context": check.name,
            "description": check.summary[:DESCRIPTION_LIMIT],
            **({"target_url": check.url} if check.url else {}),
        }
        self._client(repo).write("POST", f"/repos/{repo.path}/statuses/{check.sha}", body)

    def _set_run(self, repo: RepoRef, check: CheckToSet) -> None:
        done = check.conclusion is not CheckConclusion.PENDING
        body: dict[str, Any] = {
            "name": check.name,
            "status": "completed" if done else "in_progress",
            **({"conclusion": check.conclusion.value} if done else {}),
            **({"details_url": check.url} if check.url else {}),
        }
        batches = [check.annotations[at : at + ANNOTATIONS] for at in range(0, len(check.annotations), ANNOTATIONS)]
        for batch in batches or [()]:
            body["output"] = {
                "title": check.summary[:DESCRIPTION_LIMIT],
                "summary": check.summary[:TEXT_LIMIT],
                "text": check.text[:TEXT_LIMIT] or check.summary,
                "annotations": [_annotation(each) for each in batch],
            }
            self._put_run(repo, check, body)

    def _put_run(self, repo: RepoRef, check: CheckToSet, body: dict[str, Any]) -> None:
        """One run per name and commit: the one we made before is updated, so that nothing piles up."""
        client, key = self._client(repo), (repo.path, check.sha, check.name)
        known = self._runs.get(key) or self._find_run(repo, check)
        if known:
            client.write("PATCH", f"/repos/{repo.path}/check-runs/{known}", body)
        else:
            known = int(client.write("POST", f"/repos/{repo.path}/check-runs", {**body, "head_sha": check.sha})["id"])
        self._runs[key] = known

    def _find_run(self, repo: RepoRef, check: CheckToSet) -> int:
        path = f"/repos/{repo.path}/commits/{check.sha}/check-runs?check_name={check.name}"
        found, _ = self._client(repo).pages(path, 100)
        return next((int(each["id"]) for each in iterate(found) if each.get("name") == check.name), 0)

    # ------------------------------------------------------------------------------- merge, deployments

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request: 405 not mergeable, 409 head moved."""
        body = {"sha": head_sha, "merge_method": method, "commit_title": message[:250]}
        try:
            self._client(ref.repo).write("PUT", f"/repos/{ref.repo.path}/pulls/{ref.number}/merge", body)
        except HostDenied as error:
            if ": 409 " in str(error):
                return MergeOutcome.HEAD_MOVED
            if ": 405 " in str(error):
                raise HostDenied(str(error).partition(": 405 ")[2] or "it cannot be merged") from None
            raise
        return MergeOutcome.MERGED

    def set_deployment(
        self, repo: RepoRef, deployment_id: str, sha: str, environment: str, state: str, url: str, description: str
    ) -> str:
        """Create a deployment (empty id), then set its state; the id."""
        client, base = self._client(repo), f"/repos/{repo.path}/deployments"
        if not deployment_id:
            wanted = {
                "ref": sha,
                "environment": environment,
                "auto_merge": False,
                "required_contexts": [],
                "description": description[:DESCRIPTION_LIMIT],
                "task": "deploy",
            }
            deployment_id = str(client.write("POST", base, wanted)["id"])
        status = {
            "state": state,
            "description": description[:DESCRIPTION_LIMIT],
            "environment": environment,
            **({"log_url": url} if url else {}),
        }
        client.write("POST", f"{base}/{deployment_id}/statuses", status)
        return deployment_id


def _annotation(each: Annotation) -> dict[str, object]:
    line = max(each.line, 1)
    level = each.level if each.level in ("notice", "warning", "failure") else "failure"
    return {
        "path": each.path,
        "start_line": line,
        "end_line": line,
        "annotation_level": level,
        "message": each.message[:2000],
    }
