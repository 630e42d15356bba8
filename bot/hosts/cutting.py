"""Text cut to what a field may hold: at a word or a line, never within a character, and saying that it was cut."""

from __future__ import annotations

from typing import Final

ELLIPSIS: Final = "…"
NOTICE: Final = "\n\n… cut here: this is all that fits."
FENCE: Final = "```"


def at_word(text: str, most: int) -> str:
    """One line of at most that many characters, cut after a whole word where one is near."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    cut = line[: most - 1]
    before, space, _ = cut.rpartition(" ")
    return (before if space and len(before) >= most // 2 else cut) + ELLIPSIS


def whole_lines(text: str, most: int) -> str:
    """Markdown of at most that many UTF-8 bytes: whole lines, an open code block closed, and a notice.

    GitHub counts characters; bytes are never fewer.
    """
    if len(text.encode("utf-8", "replace")) <= most:
        return text
    room = most - len(NOTICE.encode()) - len(FENCE) - 1
    cut = text.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    lines = cut.rpartition("\n")[0] or cut
    fence = "\n" + FENCE if sum(line.lstrip().startswith(FENCE) for line in lines.splitlines()) % 2 else ""
    return lines + fence + NOTICE
