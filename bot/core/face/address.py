"""Commands named so that they reach us: some hosts take a line that begins with a slash for an order of their own."""

from __future__ import annotations

import re
from typing import Final

from bot.core.record import Verb

NAME: Final = "headgate"
_SLASHED: Final = re.compile(rf"(?<!`)`/(?=(?:{'|'.join(verb.value for verb in Verb)})(?:`| [^`\n]*`))")


def reaching(text: str, *, slash_commands: bool) -> str:
    """Our words with every command in them as it has to be said on this host: `` `/merge` `` as it is, or
    `` `headgate merge` `` where a slash does not reach us."""
    return text if slash_commands else _SLASHED.sub(f"`{NAME} ", text)
