"""What we write: comments, statuses, the merge."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

from bot.core.errors import HostBusy, HostDenied, HostGone, HostUnclear
from bot.core.model import ChangeRef, RepoRef
from bot.hosts.answers import known_id, made_id
from bot.hosts.calling import Answer
from bot.hosts.cutting import at_word
from bot.hosts.gitea.reads import Reads
from bot.hosts.remembering import Last
from bot.ports import CheckToSet, MergeOutcome

COMMENT_LIMIT: Final = 65536
"""Characters; our own bound, the server has none."""
DESCRIPTION_LIMIT: Final = 140
TITLE_LIMIT: Final = 250
SAME_SECONDS: Final = 300.0
"""How long a status that we set is trusted to stand as it was set."""

LOOKING_SECONDS: Final = 60.0
"""How long the server may look for conflicts with a head before we take it for one that has some."""

_SHA: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_MOVED: Final = "head out of date"
_AGAIN: Final = ("try again", "push out of date")
_CONFLICT: Final = ("conflict", "work in progress", "already merged", "unrelated")


class Reports:
    """Writes with the account's client. Each raises HostBusy, HostDenied, HostGone or HostUnclear."""

    def __init__(self, reads: Reads, clock: Callable[[], float] = time.monotonic) -> None:
        self._reads = reads
        self._client = reads.client
        self._clock = clock
        self._set = Last()
        self._looked = Last()

    # ----------------------------------------------------------------------------------------- comments

    def put_comment(self, ref: ChangeRef, comment_id: str, body: str) -> str:
        """Edit the comment, or create one; its id. HostGone when the one to edit is not there."""
        if len(body) > COMMENT_LIMIT:
            raise HostDenied(f"a comment may have {COMMENT_LIMIT} characters")
        issues = f"{self._reads.at(ref.repo)}/issues"
        if not comment_id:
            return made_id(self._client.write("POST", f"{issues}/{ref.number}/comments", {"body": body}))
        # What is no comment of ours any more is answered with no content.
        made = self._client.write("PATCH", f"{issues}/comments/{known_id(comment_id)}", {"body": body})
        if made is None:
            raise HostGone("what is to be edited is no comment")
        return made_id(made)

    def drop_comment(self, ref: ChangeRef, comment_id: str) -> None:
        """Delete it; gone already is as good."""
        try:
            self._client.write("DELETE", f"{self._reads.at(ref.repo)}/issues/comments/{known_id(comment_id)}")
        except HostGone:
            return

    # ----------------------------------------------------------------------------------------- statuses

    def set_check(self, repo: RepoRef, check: CheckToSet) -> None:
        """A commit's status; nothing when it stands so already."""
        key, told = (repo.path, check.sha, check.name), (check.conclusion, check.summary, check.url)
        last = self._set.get(key)
        if last is not None and last[0] == told and self._clock() - last[1] < SAME_SECONDS:
            return
        self._set.pop(key)
        self._set_status(repo, check)
        self._set.put(key, (told, self._clock()))

    def foreign_hand(self, repo: RepoRef, sha: str, name: str) -> None:
        """Somebody else set this status: what we know of it may not stand any more."""
        self._set.pop((repo.path, sha, name))

    def _set_status(self, repo: RepoRef, check: CheckToSet) -> None:
        if not _SHA.fullmatch(check.sha):
            raise HostGone(f"no such commit: {check.sha[:40]!r}")
        body = {
            "state": check.conclusion.value,
            "context": check.name,
            "description": at_word(check.summary, DESCRIPTION_LIMIT),
            **({"target_url": check.url} if check.url else {}),
        }
        try:
            self._client.write("POST", f"{self._reads.at(repo)}/statuses/{check.sha}", body)
        except HostUnclear:
            # The server answers a commit it does not have with 500, like its own failures; this call tells (404).
            self._client.get(
                f"{self._reads.at(repo)}/git/commits/{check.sha}?stat=false&verification=false&files=false"
            )
            raise

    # -------------------------------------------------------------------------------------------- merge

    def merge(self, ref: ChangeRef, head_sha: str, method: str, message: str) -> MergeOutcome:
        """Merge if the head still is ``head_sha``. HostDenied carries the server's words when a rule refuses."""
        title, _, rest = message.partition("\n")
        body: dict[str, Any] = {"do": method, "head_commit_id": head_sha}
        body |= {"merge_title_field": at_word(title, TITLE_LIMIT)} if title.strip() else {}
        body |= {"merge_message_field": rest.strip()} if rest.strip() else {}
        path = f"{self._reads.at(ref.repo)}/pulls/{ref.number}"
        answer = self._client.send("POST", f"{path}/merge", body, expect=(404, 405, 409))
        if answer.status == 404:
            # So it answers for a change that is closed, too; one that is not there raises HostGone here.
            self._client.get(path)
            return MergeOutcome.NOT_MERGEABLE
        if answer.status in (405, 409):
            return self._not_merged((ref.repo.path, str(ref.number), head_sha), answer)
        return MergeOutcome.MERGED

    def _not_merged(self, key: tuple[str, ...], answer: Answer) -> MergeOutcome:
        """The server asks to try again while it looks for conflicts, and just so when it has found one."""
        if not any(word in answer.said.lower() for word in _AGAIN):
            return _refused(answer)
        began = self._looked.get(key)
        if began is None:
            self._looked.put(key, self._clock())
        elif self._clock() - began > LOOKING_SECONDS:
            return MergeOutcome.NOT_MERGEABLE
        raise HostBusy(f"the merge must be tried again: {answer.said}", 5.0)


def _refused(answer: Answer) -> MergeOutcome:
    """A conflict is an outcome; a rule that refuses is told in the server's words."""
    said = answer.said.lower()
    if _MOVED in said:
        return MergeOutcome.HEAD_MOVED
    # A conflict is told as an object of git's own words, without a message.
    if not said or any(word in said for word in _CONFLICT):
        return MergeOutcome.NOT_MERGEABLE
    raise HostDenied(answer.said)
