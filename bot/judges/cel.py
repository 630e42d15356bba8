"""CEL in a process of its own: a rule that takes too long or too much denies, and harms no worker.

https://github.com/google/cel-spec/blob/master/doc/langdef.md
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bot.core.policy.facts import Found
from bot.core.policy.plan_rules import Question

SECONDS: Final = 20.0
"""For all rules of one change's plans together."""


class Verdict(msgspec.Struct, frozen=True):
    """The answer to a question, by its place: whether it holds, or why nobody can say."""

    place: int
    error: str = ""


class CelJudge:
    """See ``bot.ports.PlanJudge``."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    def judge(self, questions: Sequence[Question]) -> tuple[Found, ...]:
        """One process for all."""
        if not questions:
            return ()
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(Path(__file__).with_name("cel_child.py")), str(self._seconds)],
                input=_asked(questions),
                capture_output=True,
                timeout=self._seconds,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                check=True,
            )
            verdicts = msgspec.json.decode(done.stdout, type=list[Verdict])
        except subprocess.TimeoutExpired:
            return _all_failed(questions, f"its plan rules took longer than {self._seconds:.0f} s")
        except (subprocess.CalledProcessError, OSError, msgspec.DecodeError, msgspec.ValidationError):
            return _all_failed(questions, "its plan rules took more memory or time than they may")
        return tuple(_found(questions[each.place], each.error) for each in verdicts if each.place < len(questions))


def _asked(questions: Sequence[Question]) -> bytes:
    """Things with their variables, each once, and what is asked of it: (place, expression)."""
    things: dict[int, tuple[object, list[tuple[int, str]]]] = {}
    for place, each in enumerate(questions):
        _, asked = things.setdefault(id(each.variables), (each.variables, []))
        asked.append((place, each.expression))
    return msgspec.json.encode(list(things.values()))


def _all_failed(questions: Sequence[Question], why: str) -> tuple[Found, ...]:
    """Each rule once for each project: nobody knows what it would have found."""
    pairs = dict.fromkeys((each.rule, each.policy, each.project) for each in questions)
    return tuple(Found(rule, project, policy=policy, error=why) for rule, policy, project in pairs)


def _found(question: Question, error: str) -> Found:
    return Found(question.rule, question.project, question.address, question.what, error, question.policy)
