"""All attacks. A new theme is one file and one line here."""

from __future__ import annotations

from typing import Final

from attacks import on_bounds, on_credentials, on_files, on_processes, on_the_network
from attacks.attack import Attack

ATTACKS: Final[tuple[Attack, ...]] = (
    *on_files.ATTACKS,
    *on_processes.ATTACKS,
    *on_the_network.ATTACKS,
    *on_bounds.ATTACKS,
    *on_credentials.ATTACKS,
)
