"""Our callback's events as an effect set: stable addresses, no noise, unforeseeable steps counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.core.effectset import ABSENT, Action, EffectSet, Leaf, ResourceEffect, Value, effect_set
from bot.core.errors import ToolFailed
from bot.core.flatten import Masks, leaves
from bot.tools.shape import decoded, mapping, mappings

MOST_EVENTS: Final = 200_000
RUNS: Final = frozenset({"command", "shell", "script", "raw", "expect"})
"""Modules whose result nobody can foresee; check mode skips them."""

_PATH: Final = re.compile(r"/[^\s:]*")
_MARKS: Final = ("/ansible-local-", "/ansible-tmp-", "/.ansible/tmp/")
"""What a path of Ansible's own temporary files has in it, behind its first directory."""


@dataclass(frozen=True, slots=True)
class Story:
    """What one ansible-playbook told: results in order, which hosts took part, and whether nobody did."""

    results: tuple[Mapping[str, Any], ...]
    hosts: tuple[str, ...]
    nobody: bool
    torn: bool = False
    """Some of it cannot be read, so what is there is not all."""

    def of_kind(self, *kinds: str) -> tuple[Mapping[str, Any], ...]:
        """Results of these kinds."""
        return tuple(each for each in self.results if each.get("kind") in kinds)


def read(lines: Iterable[str]) -> Story:
    """Parse the events; a line that is none, and too many of them, leave the story torn. Nothing is read any more
    behind too many lines."""
    results: list[Mapping[str, Any]] = []
    hosts: list[str] = []
    nobody = torn = False
    for number, line in enumerate(lines):
        if number > MOST_EVENTS:
            torn = True
            break
        event = _event(line)
        if event is None:
            torn = True
            continue
        if event.get("kind") == "stats":
            hosts = sorted(mapping(event.get("hosts")))
        elif event.get("kind") == "no_hosts":
            nobody = True
        else:
            results.append(event)
    return Story(tuple(results), tuple(hosts), nobody and not hosts, torn)


def _event(line: str) -> Mapping[str, Any] | None:
    """One event of the callback's; None for what it cannot have written."""
    try:
        event: Any = decoded(line)
        known = isinstance(event, dict) and isinstance(event.get("hosts", {}), dict)
        return event if known and mappings(event.get("diffs")) is not None else None
    except (ValueError, RecursionError, ToolFailed):
        return None


def effects(story: Story, key: bytes) -> EffectSet:
    """What a check run would change, by host and task."""
    resources: list[ResourceEffect] = []
    seen: dict[str, int] = {}
    unforeseen = 0
    for event in story.results:
        runs = _unforeseeable(event)
        if not runs and not (event.get("kind") == "ok" and event.get("changed")):
            continue
        unforeseen += runs
        resources.append(_resource(event, _address(event, seen), key, runs=runs))
    return effect_set(resources, unpredictable=unforeseen)


def _unforeseeable(event: Mapping[str, Any]) -> bool:
    module = str(event.get("module", "")).rpartition(".")[2]
    if event.get("kind") == "skipped":
        return bool(event.get("check_mode_skipped"))
    return event.get("kind") == "ok" and bool(event.get("changed")) and module in RUNS


def _address(event: Mapping[str, Any], seen: dict[str, int]) -> str:
    """``web1 › nginx : the listener (item)``; a task that occurs twice is numbered."""
    item = f" ({event['item']})" if event.get("item") else ""
    address = f"{event.get('host', '')} › {event.get('task', '')}{item}"
    seen[address] = seen.get(address, 0) + 1
    return address if seen[address] == 1 else f"{address} #{seen[address]}"


def _resource(event: Mapping[str, Any], address: str, key: bytes, *, runs: bool) -> ResourceEffect:
    kind = str(event.get("module", ""))
    if runs:
        return ResourceEffect(address, Action.RUN, kind)
    if event.get("hidden"):
        secret = Leaf("(no_log)", ABSENT, Value.sensitive(key, ""))
        return ResourceEffect(address, Action.UPDATE, kind, leaves=(secret,))
    before, after = _sides(mappings(event.get("diffs")))
    return ResourceEffect(address, _action(event, before), kind, leaves=leaves(before, after, Masks(), key))


def _action(event: Mapping[str, Any], before: Mapping[str, object]) -> Action:
    if event.get("state") == "absent":
        return Action.DELETE
    fresh = before and all(value in ("", "absent") for name, value in before.items() if name != "path")
    return Action.CREATE if fresh else Action.UPDATE


def _sides(diffs: Iterable[Mapping[str, Any]]) -> tuple[dict[str, object], dict[str, object]]:
    """Both sides by what they are about (a file's path); noise removed."""
    old: dict[str, object] = {}
    new: dict[str, object] = {}
    for number, diff in enumerate(diffs):
        if "prepared" in diff:
            new[f"diff[{number}]"] = _quiet(diff["prepared"])
            continue
        before, after = _quiet(diff.get("before", "")), _quiet(diff.get("after", ""))
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            old.update(before)
            new.update(after)
            continue
        name = str(_quiet(diff.get("before_header") or diff.get("after_header") or "content")).partition(" ")[0]
        old[name], new[name] = before, after
    return old, new


def _quiet(value: object) -> object:
    """Without paths that are another one each time."""
    if isinstance(value, str):
        return _PATH.sub(_steady, value) if any(mark in value for mark in _MARKS) else value
    if isinstance(value, dict):
        return {name: _quiet(each) for name, each in value.items()}
    return value


def _steady(path: re.Match[str]) -> str:
    text = path.group()
    return "(temporary)" if any(text.find(mark, 1) >= 0 for mark in _MARKS) else text


def failures(story: Story) -> tuple[str, ...]:
    """Failed and unreachable results as lines."""
    return tuple(
        f"{event.get('host')}: {event.get('task')}: {event.get('message') or event.get('kind')}"
        for event in story.of_kind("failed", "unreachable")
    )


def changed(story: Story) -> tuple[str, ...]:
    """Addresses that an apply changed."""
    seen: dict[str, int] = {}
    return tuple(_address(event, seen) for event in story.of_kind("ok") if event.get("changed"))
