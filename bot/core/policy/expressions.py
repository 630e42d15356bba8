"""Expressions of plan rules (CEL): whether they can be read, and what they ask for. They are evaluated elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

import cel

LONGEST: Final = 2000
"""Characters; and so of work to read one."""
FUNCTIONS: Final = frozenset({"values", "blocks", "json", "statements"})

_MACRO: Final = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,", re.ASCII)
"""Names that macros give to what they go through; the library counts them among what an expression asks for. One that
stands elsewhere as well passes here, and denies where it is evaluated."""


def flaw(expression: str, variables: Collection[str]) -> str:
    """Why an expression cannot be one over these variables; empty if it can."""
    try:
        program = cel.compile(expression)
        asked = sorted(set(program.variables()) - set(variables) - set(_MACRO.findall(expression)))
    except Exception as error:  # noqa: BLE001 - whatever the library says of it
        return f"is no expression of CEL: {_first_line(error)}"
    if asked:
        return f"asks for `{asked[0]}`; there are {', '.join(sorted(variables))}"
    return ""


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith(("Failed to parse", "Make sure"))), lines[0])[:200]
