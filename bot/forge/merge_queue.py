"""A merge queue like GitHub's: each entry gets a commit on top of those before it, and lands when that is green.

https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.forge import merging
from bot.forge.happening import Happening, Topic
from bot.forge.model import Actor, Pull, Refused, Repo
from bot.forge.rules import checks_of, merge_blockers
from bot.forge.state import State

GREEN, RED = ("success", "neutral", "skipped"), ("failure", "error", "cancelled", "timed_out", "action_required")


@dataclass(slots=True)
class Entry:
    """A pull request in line: ``sha`` is what would land, on top of ``base``."""

    pull: Pull
    actor: Actor
    sha: str
    base: str

    @property
    def ref(self) -> str:
        """The branch that the queue keeps for it."""
        return f"refs/heads/gh-readonly-queue/{self.pull.base_ref}/pr-{self.pull.number}-{self.base}"


class MergeQueue:
    """The queue of one repository; ``settle`` looks at the checks, as the host does from time to time."""

    def __init__(self, state: State, repo: Repo) -> None:
        self._state = state
        self._repo = repo
        self.entries: list[Entry] = []

    def add(self, pull: Pull, actor: Actor) -> None:
        """Put a change in line. Raises Refused when it could not be merged as it stands."""
        blocked = merging.obstacles(self._state, self._repo, pull) + merge_blockers(self._state, self._repo, pull)
        if blocked:
            raise Refused(blocked[0])
        self._ask(pull, actor)

    def _ask(self, pull: Pull, actor: Actor) -> None:
        tip = self._state.git(self._repo).refs(f"refs/heads/{pull.base_ref}")[f"refs/heads/{pull.base_ref}"]
        base = self.entries[-1].sha if self.entries else tip
        sha = merging.commit_onto(self._state, self._repo, actor, pull, base)
        entry = Entry(pull, actor, sha, base)
        self._state.git(self._repo).set_ref(entry.ref, sha)
        self.entries.append(entry)
        self._tell("checks_requested", entry)

    def settle(self) -> None:
        """Let what is green at the front land, and take out the first that is red; the rest is asked anew."""
        while self.entries:
            first = self.entries[0]
            outcome = self._outcome(first)
            if outcome == "green":
                self.entries.pop(0)
                merging.put_on_base(self._state, self._repo, first.actor, first.pull, first.sha, "merge_queue_merge")
                self._tell("destroyed", first, "merged")
            elif outcome == "red":
                rest, self.entries = self.entries[1:], []
                self._tell("destroyed", first, "dequeued")
                for entry in rest:
                    self._tell("destroyed", entry, "invalidated")
                    self._ask(entry.pull, entry.actor)
            else:
                return

    def _outcome(self, entry: Entry) -> str:
        rule = self._repo.protections.get(entry.pull.base_ref)
        found = {check.name: check.outcome.value for check in checks_of(self._state, self._repo, entry.sha, rule)}
        wanted = [found.get(each.context, "") for each in (rule.checks or () if rule is not None else ())]
        if any(each in RED for each in wanted):
            return "red"
        return "green" if all(each in GREEN for each in wanted) else ""

    def _tell(self, action: str, entry: Entry, reason: str = "") -> None:
        details = {"reason": reason} if reason else {}
        self._state.tell(Happening(Topic.MERGE_GROUP, action, self._repo, entry.actor, entry, details))
