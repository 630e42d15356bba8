"""The port through which expressions of plan rules are evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.core.policy.facts import Found
from bot.core.policy.plan_rules import Question


class PlanJudge(Protocol):
    """Evaluates expressions apart from the worker: with an end in time and memory, and never raising."""

    def judge(self, questions: Sequence[Question]) -> tuple[Found, ...]:
        """Those that hold. One that cannot be evaluated, or has no time left, is found with its ``error``."""
        ...
