"""The verdict as a tree in Markdown, and the list of commands: answers to ``/explain`` and ``/help``."""

from __future__ import annotations

import itertools
import re
from typing import Final

from bot.core.commands import HELP
from bot.core.face.markdown import code, plain
from bot.core.face.words import either
from bot.core.verdict import Reason, Status

LONGEST_SPAN: Final = 300
LONGEST: Final = 50_000
"""Characters of an explanation, which has to fit a comment."""
BADGES: Final = {Status.SKIPPED: "⚪", Status.PENDING: "⏸", Status.APPROVED: "✅", Status.DENIED: "⛔"}


def explain(verdict: Reason) -> str:
    """Every rule with its badge, the values compared, who can change it and how."""
    head = {
        Status.APPROVED: "The gate is open.",
        Status.PENDING: "The gate waits.",
        Status.DENIED: "The gate is closed.",
        Status.SKIPPED: "No rule concerns this change.",
    }[verdict.status]
    lines = [head, "", *(line for child in verdict.children for line in _lines(child, 0))]
    sizes = itertools.accumulate(len(line) + 1 for line in lines)
    kept = [line for line, size in zip(lines, sizes, strict=True) if size <= LONGEST]
    left = len(lines) - len(kept)
    return "\n".join([*kept, *([f"- … and {left} more lines"] if left else [])]).rstrip()


def _lines(reason: Reason, depth: int) -> list[str]:
    indent = "  " * depth
    lines = [f"{indent}- {BADGES[reason.status]} {sentence(reason)}"]
    shown = ", ".join(f"{plain(name)}: {plain(value)}" for name, value in reason.values)
    if shown:
        lines.append(f"{indent}  - {shown}")
    lines += [f"{indent}  - the approval of {plain(who)} does not count: {plain(why)}" for who, why in reason.ignored]
    return lines + [line for child in reason.children for line in _lines(child, depth + 1)]


def sentence(reason: Reason) -> str:
    """The reason in one sentence, with who can change it and the words to type."""
    text = plain_keeping_code(reason.text)
    if reason.status in (Status.PENDING, Status.DENIED):
        if reason.who:
            text += f" · {either([plain(who) for who in reason.who])}"
            text += f": {reason.how}" if reason.how else ""
        elif reason.how:
            text += f" · {reason.how}"
    return text


_SPAN: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
"""A code span as our own sentences have them. They also hold what tools and strangers say, whose backticks come in
any number: what is no such span is text."""


def plain_keeping_code(text: str) -> str:
    """Our own sentences carry `code spans`; what is between them is made safe, and so is what is inside."""
    parts = _SPAN.split(text)
    return "".join(code(part, LONGEST_SPAN) if index % 2 else plain_part(part) for index, part in enumerate(parts))


def plain_part(part: str) -> str:
    """Like ``plain``, keeping the spaces at the ends."""
    if not part.strip():
        return part
    lead = " " if part[0] == " " else ""
    tail = " " if part[-1] == " " else ""
    return f"{lead}{plain(part)}{tail}"


def help_text(bot: str, *, slash_commands: bool = True) -> str:
    """The commands as a table, in every form in which they are understood on this host."""
    forms = [*(["`/plan`"] if slash_commands else []), *([f"`@{bot} plan`"] if bot else []), "`headgate plan`"]
    names = either(forms)
    rows = [f"| `{row.usage}` | {row.what} | {row.who} |" for row in HELP]
    return "\n".join([f"Write a command at the start of a line: {names}.", "", "| command | what it does | who may |",
                      "|---|---|---|", *rows])  # fmt: skip
