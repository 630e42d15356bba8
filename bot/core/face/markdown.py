"""Hostile text made harmless for GitHub-flavoured Markdown: it can neither break out, nor ping, nor hide."""

from __future__ import annotations

import re
from typing import Final

LONGEST_VALUE: Final = 160
_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_SPECIAL: Final = re.compile(r"([\\`*\[\]|~>&$]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|^[-+#=]|^\d+(?=[.)]))")
ZERO: Final = "\u2060"
"""A word joiner: invisible, and enough to keep ``@name`` from being a mention and ``#1`` from being a link."""


def visible(text: str) -> str:
    """Control, bidirectional and invisible characters written out as ``\\u202e``; tabs and newlines stay."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def plain(text: str, limit: int = 300) -> str:
    """Text in a sentence or a table cell: one line, nothing of it is markup, nobody is pinged."""
    line = shortened(" ".join(visible(text).split()), limit)
    escaped = _SPECIAL.sub(r"\\\1", line).replace("<", "&lt;")
    escaped = re.sub(r"#(?=\d)", f"#{ZERO}", escaped)
    return re.sub(r"(?i)(https?)(:)", rf"\1{ZERO}\2", escaped.replace("@", f"@{ZERO}")).replace("www.", f"www{ZERO}.")


def code(text: str, limit: int = LONGEST_VALUE) -> str:
    """An inline code span that its own content cannot end; for table cells too."""
    line = shortened(" ".join(visible(text).split()), limit).replace("|", "¦")
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(lines: list[str], language: str = "diff") -> str:
    """A fenced block that its own content cannot end."""
    text = "\n".join(visible(line).replace("\n", "⏎") for line in lines)
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters, saying how many were left out."""
    if len(text) <= limit:
        return text
    return f"{text[: max(limit - 24, 8)]}… ({len(text)} characters)"


def inside_comment(text: str) -> str:
    """Text within an HTML comment: it cannot end it."""
    return text.replace("--", "- -").replace(">", "")
