"""Pages."""

from __future__ import annotations

from flask import Blueprint

from bot.forge.state import State
from bot.forge.story import SampleChange


def site_blueprint(state: State, samples: list[SampleChange]) -> Blueprint:
    """The pages."""
    return Blueprint("site", __name__)
