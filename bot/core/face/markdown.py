"""Hostile text made harmless for GitHub-flavoured Markdown: it can neither break out, nor ping, nor hide."""

from __future__ import annotations

import re
from typing import Final

LONGEST_VALUE: Final = 160
_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Controls, and whatever else takes no place or turns the direction of what stands around it (Unicode's categories
Cc, Cf, Cs, and fillers), but the joiner and the selectors that emoji are made with."""
_SPECIAL: Final = re.compile(r"([\\`*\[\]|~>&$]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])|^[-+#=]|^\d+(?=[.)]))")
_LINKING: Final = re.compile(r"@|#(?=\d)|(?:https?|ftp|mailto|xmpp)(?=:)|www(?=\.)|\bGH(?=-\d)", re.IGNORECASE)
"""What GitHub makes links and mentions of: https://github.github.com/gfm/#autolinks-extension-"""
_CHATTING: Final = re.compile(
    r"@|(?:https?|ftp|mailto|xmpp)(?=:)|www(?=\.)|<(?=[!@#a-z/])|\](?=\()|!(?=\[)", re.IGNORECASE
)
ZERO: Final = "\u2060"
"""A word joiner: invisible, and enough to keep ``@name`` from being a mention and ``#1`` from being a link."""


def visible(text: str) -> str:
    """Control, bidirectional and invisible characters written out as ``\\u202e``; tabs and newlines stay."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def plain(text: str, limit: int = 300) -> str:
    """Text in a sentence or a table cell: one line, nothing of it is markup, nobody is pinged."""
    line = shortened(" ".join(visible(text).split()), limit)
    escaped = _SPECIAL.sub(r"\\\1", line).replace("<", "&lt;")
    return _LINKING.sub(rf"\g<0>{ZERO}", escaped)


def unmarked(text: str) -> str:
    """Text for a chat, whichever markup it has: one line, nobody is pinged, nothing becomes a link or a picture."""
    return _CHATTING.sub(rf"\g<0>{ZERO}", " ".join(visible(text).split()))


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
