"""Expressions of plan rules (CEL): whether they can be read, and what they ask for. They are evaluated elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import cel

LONGEST: Final = 2000
"""Characters; and so of work to read one."""
FUNCTIONS: Final = frozenset({"values", "statements"})


def flaw(expression: str, variables: Collection[str]) -> str:
    """Why an expression cannot be one over these variables; empty if it can."""
    try:
        program = cel.compile(expression)
        asked = sorted(set(program.variables()) - set(variables))
    except Exception as error:  # noqa: BLE001 - whatever the library says of it
        return f"is no expression of CEL: {_first_line(error)}"
    if asked:
        return f"asks for `{asked[0]}`; there are {', '.join(sorted(variables))}"
    return ""


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith(("Failed to parse", "Make sure"))), lines[0])[:200]
