"""What Headgate uses of a host, as far as hosts differ or people ask: a closed set, answered by every adapter."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Feature(enum.Enum):
    """A row of the table of hosts."""

    WEBHOOKS = "webhooks prove who sent them"
    TOLD_DISMISSALS = "is told at once when an approval is taken back"
    POLLING = "works by polling alone"
    LISTING = "finds repositories that only a pattern names"
    REVIEW_COMMIT = "a review says for which commit it was given"
    REQUEST_CHANGES = "a request for changes closes the gate"
    PUSHERS = "says who pushed, who then contributes"
    PEOPLE = "lists who may do what"
    REQUIRED = "requires our check by its name"
    EXTERNAL = "asks us itself before a merge"
    CHECK_DETAILS = "shows a check's text and annotations"
    OWN_RULES = "its own rules against a merge are told in our comment"
    OTHERS_CHECKS = "others' checks can be a condition of the gate"
    SLASH_COMMANDS = "`/command` in a comment"
    HEAD_GUARD = "merges only the commit that was judged"
    MERGE_KINDS = "merge, squash and rebase"
    LINE = "merges by way of the host's own line of merges"
    DEPLOYMENTS = "shows deployments of its own"
    FORKS = "changes from forks"
    BUDGET = "says what is left of its rate limit"
    FREE_REPEATS = "asking again what did not change costs nothing"
    APP = "signs in as an app"
    SETUP = "`headgate setup` and `headgate doctor`"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a host has a feature; ``how`` it is done there, or what stands in for it."""

    has: bool
    how: str = ""


def yes(how: str = "") -> Answer:
    """It has it."""
    return Answer(True, how)


def no(instead: str = "") -> Answer:
    """It has not."""
    return Answer(False, instead)
