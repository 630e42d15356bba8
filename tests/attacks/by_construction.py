"""Attacks on what is never done, so that there is no layer to leave out. The test of each has its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Harmless:
    """An attack, and why nothing comes of it."""

    name: str
    tries: str
    why: str


BY_CONSTRUCTION: Final = (
    Harmless(
        "a-million-changed-lines",
        "change a million lines, so that comparing them takes for ever or fills the memory",
        "trees are compared, never lines; only files that a project reads are opened, each up to a bound",
    ),
    Harmless(
        "ten-thousand-files",
        "change more files than the host lists (3,000), so that what matters is beyond the list",
        "what changed is read from git itself, never from the host's list",
    ),
    Harmless(
        "marker-of-another-commenter",
        "write a comment that begins like the bot's own before the bot does, to have it taken for the bot's",
        "the bot's comments are known by the account that wrote them and by the id the host gave",
    ),
    Harmless(
        "retarget-to-another-branch",
        "open the change against a branch nobody looks after, have it approved there, then retarget it to production",
        "an approval counts for the comment that stood, for its commit and its base branch",
    ),
)
