"""Imported by the fork server before any run: what every run's process would else load and build for itself."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from bot.flow.services import Services
from bot.wiring import build_from_environment, identity, rehearse, warm_up

log = logging.getLogger(__name__)


def services() -> Services:
    """For a run's own process: those that were built before it was forked, under a name of its own."""
    return build_from_environment() if _BUILT is None else replace(_BUILT, identity=identity())


def _built() -> Services | None:
    """None when they cannot be built now: then every run tries for itself, and says why when it cannot."""
    try:
        built = build_from_environment()
        rehearse(built)
    except Exception:  # whatever it is must not end the fork server
        log.exception("runs will start more slowly")
        return None
    return built


warm_up()
_BUILT: Final = _built()
