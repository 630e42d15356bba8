"""When an environment is deployed: in its windows, and not in a freeze, which wins. What waits goes on by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache

from bot.core.face.words import clock
from bot.core.model import ChangeState
from bot.core.policy.windows import Window, read_window
from bot.core.record import IntentState
from bot.core.rules import Environment
from bot.core.snapshot import Snapshot
from bot.core.verdict import Reason, Status


def closed(snapshot: Snapshot, environment: Environment) -> str:
    """What a deploy there waits for, in words; empty while it may go on."""
    freeze = _freeze(snapshot, environment)
    if freeze is not None:
        return f"the end of a freeze of {environment.name}{_until(freeze, snapshot.now)}"
    windows = _read(environment.windows)
    if windows and not any(each.holds(snapshot.now) for each in windows):
        opens = min((edge for each in windows if (edge := each.next_edge(snapshot.now))), default=None)
        return f"a deploy window of {environment.name}" + (f", from {clock(opens, snapshot.now)} on" if opens else "")
    return ""


def _freeze(snapshot: Snapshot, environment: Environment) -> Window | None:
    """The freeze that holds now, unless the change has the label that is let through."""
    labels = {label.lower() for label in snapshot.change.labels}
    if environment.freeze_label and environment.freeze_label.lower() in labels:
        return None
    return next((each for each in _read(environment.freezes) if each.holds(snapshot.now)), None)


def _until(freeze: Window, now: datetime) -> str:
    edge = freeze.next_edge(now)
    return f", until {clock(edge, now)}" if edge is not None else ""


def freeze_reasons(snapshot: Snapshot, names: Iterable[str]) -> Iterator[Reason]:
    """Where merges wait for the end of a freeze, too."""
    if snapshot.change.state is not ChangeState.OPEN:
        return
    for name in sorted(names):
        environment = snapshot.environment(name)
        freeze = _freeze(snapshot, environment) if environment.freeze_merges else None
        if freeze is not None:
            text = f"{name} is frozen{_until(freeze, snapshot.now)}, and nothing is merged for it meanwhile"
            label = environment.freeze_label
            how = f"wait, or put the label `{label}` on if it cannot" if label else "wait"
            yield Reason(f"freeze.{name}", Status.PENDING, text, how=how)


def window_times(snapshot: Snapshot) -> tuple[datetime, ...]:
    """When windows open or close, or freezes end or begin, that this change has to do with (law 14)."""
    change = snapshot.change
    waiting = any(intent.state is IntentState.WAITING for intent in snapshot.intents)
    if change.state is not ChangeState.OPEN and not waiting:
        return ()
    names = {each.project.environment for each in snapshot.selection.affected}
    known = [snapshot.environment(name) for name in names]
    windows = (each for one in known for each in _read((*one.windows, *one.freezes)))
    return tuple(edge for each in windows if (edge := each.next_edge(snapshot.now)))


def _read(raw: Iterable[Mapping[str, str]]) -> tuple[Window, ...]:
    return _parsed(tuple(tuple(sorted(each.items())) for each in raw))


@lru_cache(maxsize=256)
def _parsed(raw: tuple[tuple[tuple[str, str], ...], ...]) -> tuple[Window, ...]:
    """As they were found sound when the settings were read."""
    found = (read_window(dict(each), lambda _at, _why: None) for each in raw)
    return tuple(each for each in found if each is not None)
