"""A binary's version, asked once for as long as its file stays what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bot.core.errors import ToolFailed
from bot.tools import leavings

SCRIPT: Final = b"#!"
LONGEST: Final = 10_000


def known_version(cache: Path, program: str, ask: Callable[[], str]) -> str:
    """What ``ask`` once answered for this very file (place, size, time), else what it answers now.

    A script in its place (tfenv, asdf) decides anew each time which version it starts, so it is always asked.
    """
    place = Path(program)
    found = place.stat()
    with place.open("rb") as file:
        if file.read(len(SCRIPT)) == SCRIPT:
            return ask()
    note = f"{place.name}.version"
    identity = [program, found.st_size, found.st_mtime_ns, found.st_ino]
    try:
        kept = json.loads(leavings.read(cache, note, LONGEST) or b"")
        if kept["binary"] == identity:
            return str(kept["version"])
    except (ToolFailed, ValueError, KeyError, TypeError):
        pass  # never asked, or half written
    version = ask()
    leavings.put(cache, note, json.dumps({"binary": identity, "version": version}).encode())
    return version
