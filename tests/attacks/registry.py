"""All attacks by theme. A new theme is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Final

from attacks import (
    on_bounds,
    on_commands,
    on_credentials,
    on_files,
    on_inputs,
    on_processes,
    on_the_gate,
    on_the_network,
    on_tools,
    on_words,
)
from attacks.attack import Attack

THEMES: Final[Mapping[str, tuple[Attack, ...]]] = {
    "Files": on_files.ATTACKS,
    "Processes": on_processes.ATTACKS,
    "The network": on_the_network.ATTACKS,
    "What all runs share": on_bounds.ATTACKS,
    "Credentials and strangers": on_credentials.ATTACKS,
    "Tools": on_tools.ATTACKS,
    "The gate": on_the_gate.ATTACKS,
    "Commands": on_commands.ATTACKS,
    "Words": on_words.ATTACKS,
    "Inputs": on_inputs.ATTACKS,
}
ATTACKS: Final = tuple(chain.from_iterable(THEMES.values()))
