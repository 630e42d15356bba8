"""The merge on GitLab: at once, or by way of the merge train where the project has them; and off the train again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bot.core.errors import HostBusy, HostDenied, HostUnclear
from bot.core.model import ChangeRef
from bot.hosts.calling import Answer
from bot.hosts.cutting import at_word
from bot.hosts.fields import some
from bot.hosts.gitlab import parse
from bot.hosts.gitlab.parse import COMPUTING, CONFLICTS
from bot.hosts.gitlab.reads import Reads
from bot.ports import MergeOutcome

TITLE_LIMIT: Final = 250
PASSING: Final = ("mergeable", "ci_still_running")
"""How a merge request may stand that waits for nothing but its own pipeline."""
RUNNING: Final = frozenset(
    {"created", "waiting_for_resource", "preparing", "pending", "running", "waiting_for_callback"}
)
"""https://docs.gitlab.com/api/pipelines/: how a pipeline may stand that goes on by itself."""


class Merging:
    """Merges with the account's client. Each raises HostBusy, HostDenied, HostGone or HostUnclear."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._client = reads.client

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Merge if the head still is ``head_sha``. HostDenied carries what GitLab has against it.

        The merge itself knows no trains: it would land the change past all that wait on one.
        """
        if self._reads.project(ref.repo).get("merge_trains_enabled") is True:
            return self._board(ref, head_sha, method)
        return self._now(ref, head_sha, method, message)

    def _path(self, ref: ChangeRef) -> str:
        return f"{self._reads.at(ref.repo)}/merge_requests/{ref.number}"

    # ---------------------------------------------------------------------------------------------- now

    def _now(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Whether a merge makes a merge commit or moves the branch forward is the project's own setting; ``squash``
        is asked for. https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request
        """
        title, _, rest = message.partition("\n")
        text = at_word(title, TITLE_LIMIT) + (f"\n\n{rest.strip()}" if rest.strip() else "")
        body: dict[str, Any] = {"sha": head_sha, "squash": method == "squash"}
        if title.strip():
            body["squash_commit_message" if method == "squash" else "merge_commit_message"] = text
        path = self._path(ref)
        answer = self._client.send("PUT", f"{path}/merge", body, expect=(401, 405, 406, 409, 422))
        _let_in(answer)
        if answer.status == 409:
            return MergeOutcome.HEAD_MOVED
        if answer.status in (405, 406, 422):
            return _refused(self._client.get(path), answer)
        state = some(answer.data).get("state")
        if state != "merged":
            raise HostUnclear(f"the merge was taken, and the change is {state or 'nobody knows what'}")
        return MergeOutcome.MERGED

    # ------------------------------------------------------------------------------------------ by train

    def _board(self, ref: ChangeRef, head_sha: str, method: str) -> MergeOutcome:
        """Put it on the merge train of its branch. GitLab may take that without a word and do nothing, while it looks
        whether the change can be merged at all: what it made of it is read back.

        https://docs.gitlab.com/api/merge_trains/#add-a-merge-request-to-a-merge-train
        """
        answer = self._ask(ref, head_sha, method)
        data = self._client.get(self._path(ref))
        if answer.status == 400 and _waits_for_its_pipeline(data):
            # What runs boards when it has passed: that is another order, which GitLab refuses when nothing runs.
            answer = self._ask(ref, head_sha, method, auto_merge=True, when_pipeline_succeeds=True)
            data = self._client.get(self._path(ref))
        if answer.status == 409 or data.get("sha") != head_sha:
            return MergeOutcome.HEAD_MOVED
        if data.get("state") == "merged":
            return MergeOutcome.MERGED
        if parse.queued(data):
            return MergeOutcome.QUEUED
        if answer.status in (201, 202):
            raise HostBusy("it did not take the change on its merge train yet", 5.0)
        if data.get("detailed_merge_status") == "mergeable":
            none = not data.get("head_pipeline")
            raise HostDenied("merge trains take only what has a pipeline of its own" if none else answer.said)
        return _refused(data, answer)

    def _ask(self, ref: ChangeRef, head_sha: str, method: str, **words: bool) -> Answer:
        body = {"sha": head_sha, **({"squash": True} if method == "squash" else {}), **words}
        path = f"{self._reads.at(ref.repo)}/merge_trains/merge_requests/{ref.number}"
        answer = self._client.send("POST", path, body, expect=(400, 401, 409))
        _let_in(answer)
        return answer

    def leave_line(self, ref: ChangeRef) -> None:
        """Take it off its train, or off the list of those that will board. GitLab says 201 even where it did not, so
        it is read back. https://docs.gitlab.com/api/merge_requests/#cancel-merge-when-pipeline-succeeds
        """
        path = self._path(ref)
        cancel = f"{path}/cancel_merge_when_pipeline_succeeds"
        answer = self._client.send("POST", cancel, {}, expect=(401, 405, 406))
        if parse.queued(self._client.get(path)):
            if answer.status == 401:
                raise HostDenied("our account may not take it off the merge train")
            raise HostBusy("it is still on the merge train", 5.0)


def _waits_for_its_pipeline(data: Mapping[str, Any]) -> bool:
    runs = some(data.get("head_pipeline")).get("status") in RUNNING
    return runs and data.get("detailed_merge_status") in PASSING and not parse.queued(data)


def _let_in(answer: Answer) -> None:
    if answer.status == 401:
        raise HostDenied("our account may not merge into this branch")


def _refused(data: Mapping[str, Any], answer: Answer) -> MergeOutcome:
    """GitLab refuses in one word whatever stands against a merge; the change itself says what it is."""
    status = str(data.get("detailed_merge_status") or "")
    if data.get("state") == "merged":
        return MergeOutcome.MERGED
    if data.get("state") != "opened" or status in CONFLICTS or data.get("has_conflicts") is True:
        return MergeOutcome.NOT_MERGEABLE
    if status in COMPUTING or (status == "mergeable" and answer.status != 422):
        raise HostBusy("the host still looks whether this can be merged", 5.0)
    if status == "draft_status":
        return MergeOutcome.NOT_MERGEABLE
    raise HostDenied(f"it says {status.replace('_', ' ')}: {answer.said}")
