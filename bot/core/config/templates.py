"""``{word}`` in a setting stands for the value of a variable of ``for_each`` or of a captured part of a path.

``${word}``, ``{{word}}`` and a word that names no variable are left as they are, because settings of tools hold
shell and template text of their own; where only we read the text, such a word is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

TEMPLATE: Final = re.compile(r"(?<![${])\{([A-Za-z_][A-Za-z0-9_]{0,39})\}(?!\})", re.ASCII)


def words_of(value: object) -> Iterable[str]:
    """Every word in braces in a value, however deep."""
    if isinstance(value, str):
        yield from TEMPLATE.findall(value)
    elif isinstance(value, dict):
        for each in value.values():
            yield from words_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from words_of(each)


def filled(text: str, variables: Mapping[str, str]) -> str:
    """The text with its variables replaced, once: a value is never looked at again."""
    return TEMPLATE.sub(lambda found: variables.get(found[1], found[0]), text)


def filled_all(value: object, variables: Mapping[str, str]) -> object:
    """The same for every text in a value."""
    if isinstance(value, str):
        return filled(value, variables)
    if isinstance(value, dict):
        return {key: filled_all(each, variables) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [filled_all(each, variables) for each in value]
    return value
