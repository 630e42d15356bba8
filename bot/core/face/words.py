"""Plain words: counts, times, lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bot.core.effectset import Counts

ORDER = (
    ("delete", "destroy"),
    ("replace", "replace"),
    ("update", "update"),
    ("create", "create"),
    ("import_", "import"),
    ("move", "move"),
    ("forget", "forget"),
    ("run", "run"),
)


def counted(counts: Counts) -> str:
    """``1 replace, 2 update, 5 create``; ``no changes`` when all are zero."""
    parts = [f"{number} {word}" for name, word in ORDER if (number := getattr(counts, name))]
    return ", ".join(parts) or "no changes"


def total(counts: Iterable[Counts]) -> Counts:
    """All together."""
    result = Counts()
    for each in counts:
        result = result + each
    return result


def plural(number: int, word: str, many: str = "") -> str:
    """``1 project``, ``2 projects``."""
    return f"{number} {word if number == 1 else many or word + 's'}"


def either(names: Sequence[str]) -> str:
    """``ann``, ``ann or bo``, ``ann, bo or cy``."""
    return _joined(names, "or")


def both(names: Sequence[str]) -> str:
    """``ann``, ``ann and bo``, ``ann, bo and cy``."""
    return _joined(names, "and")


def _joined(names: Sequence[str], word: str) -> str:
    if len(names) > 8:
        names = [*names[:7], f"{len(names) - 7} more"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def clock(at: datetime, now: datetime) -> str:
    """``09:14 UTC`` today, with the date otherwise; always absolute, as faces stand for long."""
    return at.strftime("%H:%M UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M UTC")


def duration(seconds: float) -> str:
    """``4 s``, ``2 min 5 s``, ``1 h 3 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{max(whole, 1)} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
