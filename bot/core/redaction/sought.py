"""Values that are looked for in what is stored already, in every spelling that redaction would have hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from bot.core.redaction.documents import secret_parts
from bot.core.redaction.search import search
from bot.core.redaction.spellings import LONGEST, encoded, needles

OVERLAP: Final = 8 * LONGEST
"""Bytes. Of what comes in pieces so much of the piece before is looked at again: no spelling is longer."""
_ARMOUR: Final = re.compile(r"^-----(?:BEGIN|END) [A-Z0-9 ]+-----[ \t]*$", re.MULTILINE)
"""Every private key has these lines, and none is a secret."""


class Sought:
    """Each value has a name that may be told."""

    def __init__(self, values: Mapping[str, str]) -> None:
        names: dict[bytes, set[str]] = {}
        for name, value in values.items():
            for needle in _needles(value):
                names.setdefault(needle, set()).add(name)
        words = sorted(names)
        self._names = [frozenset(names[word]) for word in words]
        self._search = search(words)
        self.unsought = frozenset(values) - {name for found in self._names for name in found}
        """Values too short or too ordinary: they would be found everywhere."""

    def within(self, data: bytes) -> frozenset[str]:
        """The names of the values that are in there."""
        found = {word for word, _, _ in self._search.hits(data.lower())}
        return frozenset(name for word in found for name in self._names[word])


def _needles(value: str) -> Iterator[bytes]:
    for text in (value, *_passwords(value)):
        parts = secret_parts(text)
        if parts is None:
            yield from needles(_ARMOUR.sub("", text))
        for part in parts or ():
            yield from needles(part)
        yield from encoded(text)


def _passwords(value: str) -> tuple[str, ...]:
    """A URL is a secret for its password's sake."""
    try:
        password = urlsplit(value.strip()).password or ""
    except ValueError:
        return ()
    return (password, unquote(password)) if password else ()
