"""Imported by the fork server before any run: what every run's process would else load for itself."""

from __future__ import annotations

from bot.wiring import warm_up

warm_up()
