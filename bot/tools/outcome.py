"""What an execution's end means for a run; shared by every tool."""

from __future__ import annotations

from bot.core.errors import ToolFailed, ToolTimeout
from bot.ports import Executed

LINES = 40


def require(executed: Executed, what: str, codes: tuple[int, ...] = (0,)) -> Executed:
    """The execution, if it ended well. Raises ToolTimeout, or ToolFailed with its last words."""
    if executed.timed_out:
        raise ToolTimeout(f"{what} took longer than {executed.seconds:.0f} s and was stopped")
    if executed.exceeded:
        raise ToolFailed(f"{what} was stopped: {executed.exceeded}", last_words(executed))
    if executed.cancelled:
        raise ToolFailed(f"{what} was told to stop")
    if executed.code not in codes:
        raise ToolFailed(f"{what} failed with exit code {executed.code}", last_words(executed))
    return executed


def last_words(executed: Executed) -> tuple[str, ...]:
    """The end of what it said, errors first; still to be redacted, and then cut, by whoever shows it."""
    text = executed.stderr or executed.stdout
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return tuple(lines[-LINES:])
