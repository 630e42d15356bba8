"""The first lines of a run's log: what it is and what it was given, by name and form, and never a value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.core.rules import Grant, Network
from bot.core.runs import Run
from bot.ports import Given


def announcement(run: Run, grant: Grant, network: Network, given: Sequence[Given], end: datetime) -> str:
    """For anybody who reads the log. ``end`` is when the step is stopped at the latest."""
    places = ", ".join((*grant.readable, *(f"{place} (writable)" for place in grant.writable))) or "none"
    reach = "the worker's own" if network.host else ", ".join(str(each) for each in network.destinations) or "none"
    shares = "; ".join(f"{each.form}: {', '.join(sorted(each.names))}{_until(each, end)}" for each in given)
    return (
        f"{run.kind.value} of {run.project.name} at {run.commit[:12]}; {shares or 'variables given: none'}; "
        f"directories: {places}; network: {reach}\n"
    )


def _until(given: Given, end: datetime) -> str:
    if given.until is None:
        return ""
    early = ", before this step's time limit" if given.until < end else ""
    return f" (until {given.until:%Y-%m-%d %H:%M:%S} UTC{early})"
