"""A merge queue like GitHub's: each entry gets a commit on top of those before it, and lands when that is green.

https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
"""

from __future__ import annotations

from bot.forge import merging
from bot.forge.happening import Happening, Topic
from bot.forge.line import Entry, Line, Outcome
from bot.forge.model import Actor, Pull, Refused, Repo
from bot.forge.rules import checks_of, merge_blockers
from bot.forge.rulesets import in_force
from bot.forge.state import State

GREEN, RED = ("success", "neutral", "skipped"), ("failure", "error", "cancelled", "timed_out", "action_required")


class MergeQueue(Line):
    """The queue of one repository."""

    kind = "merge_queue_merge"

    def __init__(self, state: State, repo: Repo) -> None:
        super().__init__(state, repo)
        self._entries: list[Entry] = []

    @property
    def entries(self) -> list[Entry]:
        """Who stands in line."""
        return self._entries

    def add(self, pull: Pull, actor: Actor) -> None:
        """Put a change in line. Raises Refused when it could not be merged as it stands."""
        blocked = merging.obstacles(self._state, self._repo, pull) + merge_blockers(self._state, self._repo, pull)
        if blocked:
            raise Refused(blocked[0])
        self.enter(pull, actor)

    def ref(self, pull: Pull, base: str) -> str:
        """The branch that the queue keeps for it."""
        return f"refs/heads/gh-readonly-queue/{pull.base_ref}/pr-{pull.number}-{base}"

    def wish(self, pull: Pull) -> merging.MergeWish:
        """A merge commit."""
        del pull
        return merging.MergeWish()

    def outcome(self, entry: Entry) -> tuple[Outcome, str]:
        """By the checks that its base requires."""
        rule = in_force(self._repo, entry.pull.base_ref)
        found = {check.name: check.outcome.value for check in checks_of(self._state, self._repo, entry.sha, rule)}
        wanted = [found.get(each.context, "") for each in (rule.checks or () if rule is not None else ())]
        if any(each in RED for each in wanted):
            return Outcome.RED, "dequeued"
        return Outcome.GREEN if all(each in GREEN for each in wanted) else Outcome.WAITS, ""

    def take_out(self, entry: Entry) -> None:
        """Forget its place."""
        self._entries.remove(entry)

    def entered(self, entry: Entry) -> None:
        """Its checks are asked for."""
        self._entries.append(entry)
        self._tell("checks_requested", entry)

    def restarted(self, entry: Entry) -> None:
        """The group is gone."""
        self._tell("destroyed", entry, "invalidated")

    def left(self, entry: Entry, why: str) -> None:
        """The group is gone."""
        del why
        self._tell("destroyed", entry, "dequeued")

    def landed(self, entry: Entry) -> None:
        """The group is gone."""
        self._tell("destroyed", entry, "merged")

    def _tell(self, action: str, entry: Entry, reason: str = "") -> None:
        details = {"reason": reason, "ref": self.ref(entry.pull, entry.base)}
        self._state.tell(Happening(Topic.MERGE_GROUP, action, self._repo, entry.actor, entry, details))
