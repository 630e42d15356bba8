"""Says what happens, as it happens, with the seconds since the curtain rose."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO, TypeVar

if TYPE_CHECKING:
    from bot.cli.demo.stage import Stage
    from bot.forge import PullStory

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds a step may take before the tour is called failed."""


class StepFailed(Exception):
    """A step of the tour did not truly happen; the text says which."""


class Narrator:
    """Prints the timeline, and waits for what it is about to tell."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = time.monotonic()

    def curtain(self, stage: Stage) -> None:
        """The addresses, before the first step."""
        self._out.write(
            "  Headgate demo: a Git host, Headgate and an infrastructure repository, all on this machine\n"
            f"  Git host   {stage.forge_url}      Headgate   {stage.pages_url}      data   {stage.data}\n\n"
        )
        self._out.flush()
        self._began = time.monotonic()

    def tell(self, text: str, link: str = "") -> None:
        """One line of the timeline."""
        seconds = time.monotonic() - self._began
        self._out.write(f"{seconds:5.1f} s  {text}" + (f"\n         → {link}" if link else "") + "\n")
        self._out.flush()

    def expect(self, what: str, look: Callable[[], T | None], patience: float = PATIENCE) -> T:
        """Wait until ``look`` finds something. Raises StepFailed when it never does."""
        deadline = time.monotonic() + patience
        while True:
            found = look()
            if found:
                return found
            if time.monotonic() > deadline:
                raise StepFailed(f"{what} (waited {patience:.0f} s)")
            time.sleep(0.05)

    def space(self) -> None:
        """An empty line between acts."""
        self._out.write("\n")

    def close(self, stage: Stage) -> None:
        """The last word of a tour that nobody stays for."""
        again = "make demo" + (f" HOST={stage.host}" if stage.host != "github" else "")
        self._out.write(
            f"\n  Every step happened. `{again}` plays it again and stays, so that you can try it yourself.\n"
        )
        self._out.flush()

    def invite(self, stage: Stage, pull: PullStory) -> None:
        """What a person can do now: the change that was left open waits for them."""
        merge = "Merge" if stage.people_merge else "write the comment `headgate merge`"
        self._out.write(
            f"\n  Every step happened. Now try it yourself: open {stage.name_of(pull.number)}, sign in as bo, press\n"
            f"  Approve, then {merge}.\n"
            f"  {pull.url}      Ctrl-C stops and cleans up.\n"
        )
        self._out.flush()

    def failed(self, failure: StepFailed, log: str) -> None:
        """Which step did not happen, and the end of Headgate's log."""
        self._out.write(f"\n  ✗ This did not happen: {failure}\n\n  The end of Headgate's log:\n{log}\n")
        self._out.flush()
