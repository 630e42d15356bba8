"""Ansible's stdout callback that Headgate reads: one JSON object per line into $HEADGATE_EVENTS, plain lines to stdout.

Runs inside ansible-playbook, so it imports nothing of Headgate. ansible-core has no JSON callback of its own.
"""

from __future__ import annotations

import hashlib
import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: headgate
    type: stdout
    short_description: events for Headgate
    description: Writes one JSON object per task result.
"""

LONGEST = 20000
MOST_DIFFS = 50
UNCOMPARED = ("src_binary", "dst_binary", "src_larger", "dst_larger")


def whole(value):
    """Tells values apart that are too long to be kept: what was not shown must still differ when it differs."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return f"({len(text)} characters in all, sha256 {hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()})"


def short(value):
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    if len(text) <= LONGEST:
        return value
    return f"{text[:LONGEST]}\n{whole(value)}"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "headgate"

    def __init__(self):
        super().__init__()
        self._events = open(os.environ["HEADGATE_EVENTS"], "a", encoding="utf-8")
        self._play = ""

    def _tell(self, **event):
        self._events.write(json.dumps(event, default=str) + "\n")
        self._events.flush()

    def _say(self, text):
        print(text, flush=True)

    def v2_playbook_on_play_start(self, play):
        self._play = play.get_name().strip()
        self._say(f"play {self._play}")

    def v2_playbook_on_no_hosts_matched(self):
        self._tell(kind="no_hosts")
        self._say("no hosts matched")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._say(f"  {task.get_name()}")

    def v2_playbook_on_handler_task_start(self, task):
        self._say(f"  {task.get_name()} (handler)")

    def _result(self, result, kind, item=None):
        data = result._result
        task = result._task
        hidden = bool(task.no_log or data.get("_ansible_no_log"))
        diff = data.get("diff")
        diffs = diff if isinstance(diff, list) else [diff] if diff else []
        event = {
            "kind": kind,
            "play": self._play,
            "host": result._host.get_name(),
            "task": task.get_name(),
            "module": task.resolved_action or task.action,
            "changed": bool(data.get("changed")),
            "hidden": hidden,
            "item": None if item is None or hidden else str(item)[:200],
            "check_mode_skipped": bool(kind == "skipped" and self._skipped_by_check_mode(task, data)),
            "message": "" if hidden else str(data.get("msg", ""))[:2000],
            "state": "" if hidden else str((task.args or {}).get("state", "")),
            "diffs": [] if hidden else self._diffs([each for each in diffs if isinstance(each, dict)]),
        }
        self._tell(**event)
        mark = {"ok": "changed" if event["changed"] else "ok"}.get(kind, kind)
        label = f" ({event['item']})" if event["item"] else ""
        self._say(f"    {mark}: {event['host']}{label}" + (f": {event['message']}" if kind in ("failed", "unreachable") else ""))

    def _skipped_by_check_mode(self, task, data):
        if not getattr(task, "check_mode", False):
            return False
        said = str(data.get("msg", "")) + str(data.get("skip_reason", ""))
        return "check mode" in said.lower() or "false_condition" not in data and "conditional" not in said.lower()

    def _diffs(self, diffs):
        names = ("before", "after", "before_header", "after_header", "prepared")
        kept = [
            {"prepared": "(binary or very large, so its content is not compared)"}
            if any(diff.get(name) for name in UNCOMPARED)
            else {name: short(diff[name]) for name in names if diff.get(name) is not None}
            for diff in diffs[:MOST_DIFFS]
        ]
        rest = diffs[MOST_DIFFS:]
        return [*kept, {"prepared": f"{len(rest)} more {whole(rest)}"}] if rest else kept

    def v2_runner_on_ok(self, result):
        if not (result._task.loop and "results" in result._result):
            self._result(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not (result._task.loop and "results" in result._result):
            self._result(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result):
        if not (result._task.loop and "results" in result._result):
            self._result(result, "skipped")

    def v2_runner_on_unreachable(self, result):
        self._result(result, "unreachable")

    def v2_runner_item_on_ok(self, result):
        self._result(result, "ok", result._result.get("_ansible_item_label", result._result.get("item")))

    def v2_runner_item_on_failed(self, result):
        self._result(result, "failed", result._result.get("_ansible_item_label", result._result.get("item")))

    def v2_runner_item_on_skipped(self, result):
        self._result(result, "skipped", result._result.get("_ansible_item_label", result._result.get("item")))

    def v2_playbook_on_stats(self, stats):
        summary = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self._tell(kind="stats", hosts=summary)
        for host, counts in summary.items():
            self._say(f"{host}: " + ", ".join(f"{name} {count}" for name, count in counts.items() if count))
