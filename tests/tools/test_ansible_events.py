"""The callback's events: what of them was never written by it leaves the story torn, and none takes long to read."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from bot.tools.ansible import events

KEY = b"k" * 32


def event(**parts: Any) -> dict[str, Any]:
    return {"kind": "ok", "host": "web1", "task": "t", "module": "copy", "changed": True, **parts}


@pytest.mark.parametrize(
    "odd",
    [
        event(diffs=7),
        event(diffs=[7]),
        event(diffs=[[{"before": "a"}]]),
        {"kind": "stats", "hosts": 3},
        {"kind": "stats", "hosts": ["a", 1]},
        [],
        "x",
    ],
)
def test_an_event_of_another_shape_leaves_the_story_torn(odd: Any) -> None:
    story = events.read([json.dumps(event()), json.dumps(odd)])
    assert story.torn
    assert len(events.effects(story, KEY).resources) == 1


@pytest.mark.parametrize("odd", [event(diffs=[None]), event(diffs=[{}, False]), event(diffs={})])
def test_an_empty_diff_of_any_kind_is_no_difference(odd: Any) -> None:
    assert events.effects(events.read([json.dumps(odd)]), KEY).resources[0].leaves == ()


def test_paths_of_temporary_files_are_steady_and_found_in_time_that_grows_with_the_text() -> None:
    noise = "/root/.ansible/tmp/ansible-tmp-17/x and /tmp/ansible-local-3/y: /etc/ansible-x"
    text = noise + "/" * 300_000 + " /x/ansible-tmp-1"
    started = time.process_time()
    [found] = events.effects(events.read([json.dumps(event(diffs=[{"before": "", "after": text}]))]), KEY).resources
    assert time.process_time() - started < 2
    shown = found.leaves[0].after.text
    assert shown.startswith('"(temporary) and (temporary): /etc/ansible-x//')
    assert shown.endswith('/ (temporary)"')


def test_nothing_is_read_behind_too_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_EVENTS", 3)
    lines = iter(["", "x", json.dumps(event()), "", *["unread"] * 10])
    story = events.read(lines)
    assert story.torn
    assert len(story.results) == 1
    assert len(list(lines)) > 5
