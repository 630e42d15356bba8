"""Every way in which a tool is likely to print a value: as it is, encoded, escaped, quoted, turned around."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import struct
import urllib.parse
from collections.abc import Iterable
from typing import Final

SHORTEST: Final = 4
"""Shorter values would hide the text instead."""
SHORTEST_PART: Final = 8
"""A line or an encoded part of a secret that is shorter says too little to be worth the false alarms."""
LONGEST: Final = 2 * 1024
"""Characters of one needle; longer values are looked for in pieces, so that a window always holds one whole."""
ORDINARY: Final = frozenset({"true", "false", "none", "null", "default", "test", "prod", "main", "localhost"})
_WRAPPED: Final = (64, 76)
"""Columns at which base64 tools break their lines (PEM, MIME)."""
_STEP: Final = 4
"""Letters of base64 between two parts that are looked for, so that a line's end inside a value leaves but a few."""
_BASE32_PLACES: Final = (0, 2, 4, 5, 7)
"""The first letter that is the value's alone when it begins so many bytes into the encoded text."""
_BREAKS: Final = re.compile(r"[\r\n]+")
_GO_JSON: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_NOT_PLAIN: Final = re.compile(r"([^\w@%+=:,./-])")


def needles(value: str) -> frozenset[bytes]:
    """What to look for in UTF-8 text whose ASCII letters are lower case. None of them crosses a line's end."""
    lines = [line for line in (each.strip() for each in _BREAKS.split(value)) if line]
    shortest = SHORTEST if len(lines) == 1 else SHORTEST_PART
    parts = {line for line in (*lines, *_whole(value)) if len(line) >= shortest and line.lower() not in ORDINARY}
    found: set[str] = set()
    for part in parts:
        found.update(_turned(part))
    if parts and len(lines) > 1:
        found.update(_on_one_line(value))
    return _cut(found)


def encoded(text: str) -> frozenset[bytes]:
    """Needles for a text of several lines as a whole, in the encodings that make one line of many; no line of it is
    looked for by itself."""
    return _cut(_on_one_line(text)) if len(text.strip()) >= SHORTEST_PART else frozenset()


def _on_one_line(value: str) -> set[str]:
    return {each for each in _turned(value) if not _BREAKS.search(each)}


def _cut(found: Iterable[str]) -> frozenset[bytes]:
    pieces = (piece for each in found if len(each.strip()) >= SHORTEST for piece in _pieces(each))
    return frozenset(piece.encode("utf-8", "surrogatepass").lower() for piece in pieces)


def _whole(value: str) -> tuple[str, ...]:
    """The value with the spaces around it, where it is one line."""
    return () if _BREAKS.search(value) else (value,)


def _turned(value: str) -> set[str]:
    raw = value.encode("utf-8", "surrogatepass")
    return {
        value,
        value.upper(),
        value.lower(),
        value.swapcase(),
        value[::-1],
        value[::-1].swapcase(),
        *_escaped(value),
        *_in_url(raw),
        *_in_base64(raw),
        *_in_base32(raw),
        raw.hex(),
        raw.hex(" "),
        raw.hex(":"),
    }


def _escaped(value: str) -> Iterable[str]:
    """JSON, Go's JSON (Terraform), HTML, the shell, HCL, Python."""
    for text in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield text
        yield text.replace("/", "\\/")
        yield text.replace("${", "$${").replace("%{", "%%{")
        for sign, escape in _GO_JSON.items():
            text = text.replace(sign, escape)
        yield text
    yield json.dumps(json.dumps(value)[1:-1])[1:-1]
    yield "".join(f"\\u{unit:04x}" for unit in _utf16(value))
    page = html.escape(value)
    yield from (page, html.escape(value, quote=False))
    yield page.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield page.replace("&#x27;", "&apos;")
    yield shlex.quote(value)[1:-1] if shlex.quote(value) != value else value
    yield _NOT_PLAIN.sub(r"\\\1", value)
    yield re.sub(r'(["\\$`])', r"\\\1", value)
    yield value.replace("'", "\\'")
    yield repr(value)[1:-1]


def _utf16(value: str) -> Iterable[int]:
    return (unit for (unit,) in struct.iter_unpack(">H", value.encode("utf-16-be", "surrogatepass")))


def _in_url(raw: bytes) -> Iterable[str]:
    for safe in ("", "/", "!'()*~", "/:@!$&'()*+,;=~"):
        text = urllib.parse.quote(raw, safe=safe)
        yield from (text, text.replace("%20", "+"), text.replace("~", "%7E"))
    yield "".join(f"%{byte:02x}" for byte in raw)


def _in_base64(raw: bytes) -> Iterable[str]:
    """Inside a longer text a value starts at any of three places of the encoding; its certain middle is hidden."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            text = encode(b"\0" * shift + raw).decode().rstrip("=")
            certain = text[:-1] if (len(raw) + shift) % 3 else text
            middle = certain[(0, 2, 3)[shift] :]
            if len(middle) >= SHORTEST_PART:
                yield middle
                yield from (middle[at : at + SHORTEST_PART] for at in range(0, len(middle) - SHORTEST_PART, _STEP))
                yield middle[-SHORTEST_PART:]
            for width in _WRAPPED if not shift else ():
                lines = (certain[at : at + width] for at in range(0, len(certain), width))
                yield from (line for line in lines if len(line) >= SHORTEST_PART)


def _in_base32(raw: bytes) -> Iterable[str]:
    """As base64, at any of five places."""
    for shift, place in enumerate(_BASE32_PLACES):
        whole = (shift + len(raw)) * 8 // 5
        middle = base64.b32encode(b"\0" * shift + raw).decode()[place:whole]
        if len(middle) >= SHORTEST_PART:
            yield middle


def _pieces(needle: str) -> Iterable[str]:
    if len(needle) <= LONGEST:
        return (needle,)
    starts = (*range(0, len(needle) - LONGEST, LONGEST), len(needle) - LONGEST)
    return (needle[start : start + LONGEST] for start in starts)
