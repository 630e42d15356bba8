"""All attacks. A new theme is one file and one line here."""

from __future__ import annotations

from typing import Final

from attacks import on_files
from attacks.attack import Attack

ATTACKS: Final[tuple[Attack, ...]] = (*on_files.ATTACKS,)
