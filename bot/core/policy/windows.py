"""Windows of time: a cron expression with a duration and a time zone, or from one moment to another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

LONGEST: Final = timedelta(days=366)
"""Of a window; and how far into the future an edge is looked for."""


WINDOW_SCHEMA: Final[Mapping[str, object]] = {
    "type": "object",
    "description": "A window of time: `cron` with `duration`, or `from` with `until`.",
    "additionalProperties": False,
    "minProperties": 2,
    "properties": {
        "cron": {
            "type": "string",
            "maxLength": 100,
            "description": "When it opens: minute, hour, day, month, weekday.",
        },
        "duration": {
            "type": "string",
            "pattern": "^[0-9]{1,5} ?(m|h|d)$",
            "x-wants": "a duration, for example `8h`",
            "description": "How long it stays open: `90m`, `8h`, `2d`.",
        },
        "from": {
            "type": "string",
            "maxLength": 40,
            "description": "The moment it begins: `2026-12-20` or `2026-12-20T18:00`.",
        },
        "until": {
            "type": "string",
            "maxLength": 40,
            "description": "The moment it ends, which is not in it any more.",
        },
        "zone": {
            "type": "string",
            "maxLength": 60,
            "description": "A time zone, such as `Europe/Berlin`; UTC unless said.",
        },
    },
}

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"([0-9]{1,5}) ?([mhd])", re.ASCII)

Refuse = Callable[[tuple[str | int, ...], str], None]


@dataclass(frozen=True, slots=True)
class Moments:
    """From one moment until (not including) another."""

    start: datetime
    end: datetime

    def holds(self, now: datetime) -> bool:
        """Whether it is open."""
        return self.start <= now < self.end

    def next_edge(self, now: datetime) -> datetime | None:
        """When it opens or closes next."""
        return next((edge for edge in (self.start, self.end) if edge > now), None)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M %Z} to {self.end:%Y-%m-%d %H:%M %Z}"


@dataclass(frozen=True, slots=True)
class Recurring:
    """Opens at each moment of a cron expression, in that zone, for so long."""

    cron: str
    duration: timedelta
    zone: tzinfo

    def holds(self, now: datetime) -> bool:
        """Whether it is open: it opened last not longer ago than it stays open."""
        opened = self._opened(now)
        return opened is not None and now < opened + self.duration

    def next_edge(self, now: datetime) -> datetime | None:
        """When it opens or closes next."""
        opened = self._opened(now)
        edges = [opened + self.duration] if opened is not None and now < opened + self.duration else []
        opens = next(CronSim(self.cron, now.astimezone(self.zone)), None)
        edges += [opens.astimezone(UTC)] if opens is not None else []
        return min(edges, default=None)

    def _opened(self, now: datetime) -> datetime | None:
        # The search leaves out the moment it begins at.
        after = now.replace(microsecond=0).astimezone(self.zone) + timedelta(seconds=1)
        last = next(CronSim(self.cron, after, reverse=True), None)
        return last.astimezone(UTC) if last is not None else None

    def __str__(self) -> str:
        hours = self.duration.total_seconds() / 3600
        return f"`{self.cron}` {self.zone} for {hours:g} h"


Window = Moments | Recurring


def read_window(raw: Mapping[str, Any], refuse: Refuse) -> Window | None:
    """A window as written, or None when it says too little, too much or nothing; ``refuse`` is told what."""
    zone = _zone(raw.get("zone", "UTC"))
    if zone is None:
        refuse(("zone",), "is not a time zone, such as `Europe/Berlin`")
        return None
    if {"cron", "duration"} <= raw.keys() and not raw.keys() & {"from", "until"}:
        return _recurring(raw["cron"], raw["duration"], zone, refuse)
    if {"from", "until"} <= raw.keys() and not raw.keys() & {"cron", "duration"}:
        return _moments(raw["from"], raw["until"], zone, refuse)
    refuse((), "must have `cron` and `duration`, or `from` and `until`")
    return None


def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if re.fullmatch(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*", name) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _recurring(cron: str, duration: str, zone: tzinfo, refuse: Refuse) -> Recurring | None:
    try:
        CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError:
        cron = ""
    if len(cron.split()) != 5:
        refuse(("cron",), "is not a cron expression, such as `0 9 * * MON-FRI`")
        return None
    found = _DURATION.fullmatch(duration)
    length = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < length <= LONGEST:
        refuse(("duration",), "must be longer than nothing and at most a year")
        return None
    return Recurring(cron, length, zone)


def _moments(start: str, end: str, zone: tzinfo, refuse: Refuse) -> Moments | None:
    edges = []
    for name, text in (("from", start), ("until", end)):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            refuse((name,), "is not a date or a moment, such as `2026-12-20` or `2026-12-20T18:00`")
            return None
        edges.append(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    if edges[0] >= edges[1]:
        refuse(("until",), "must be after `from`")
        return None
    return Moments(edges[0], edges[1])
