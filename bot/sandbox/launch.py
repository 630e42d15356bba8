"""How one command is started: beside us, or behind walls with at most one door."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bot.ports import Execution
from bot.sandbox.egress import PORT, Egress
from bot.sandbox.enclosure import INLET, Enclosure, filter_descriptor

PATIENCE: Final = 20.0
"""Seconds bubblewrap has to tell the process it made; it takes milliseconds."""


@dataclass(slots=True)
class Launch:
    """Words and descriptors for the new process. ``started`` is called once it was made."""

    argv: list[str]
    cwd: Path
    descriptors: tuple[int, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    enclosed: bool = False
    _status: int = -1
    _given: list[int] = field(default_factory=list)
    _said: bytes = b""

    def started(self) -> int:
        """The number of the enclosure's first process, whose end ends all inside; 0 without one. Closes what now
        belongs to the new process alone."""
        _close(self._given)
        if self.enclosed:
            self._said = _read(self._status, until=b"}")
        return _told(self._said, "child-pid")

    def ran(self) -> bool:
        """Once it ended: whether the command itself was reached; only then bubblewrap tells its exit code."""
        if not self.enclosed:
            return True
        self._said += _read(self._status, until=b"exit-code")
        return b"exit-code" in self._said


@contextlib.contextmanager
def launching(
    execution: Execution, program: str, box: Path, enclosure: Enclosure | None, egress: Egress | None
) -> Iterator[Launch]:
    """What it takes to start a command; everything that was opened for it is closed at the end."""
    command = [program, *execution.argv[1:]]
    if enclosure is None:
        yield Launch(command, execution.cwd)
        return
    status, told = os.pipe()
    given = [told]
    variables: Mapping[str, str] = {}
    try:
        if egress is not None:
            theirs = _door(egress)
            given.append(theirs)
            command = [sys.executable, "-I", "-S", str(INLET), str(theirs), str(PORT), *command]
            execution = replace(execution, readable=(*execution.readable, INLET))
            variables = egress.variables()
        filter_ = filter_descriptor()
        given += [filter_] if filter_ is not None else []
        words = enclosure.words(execution, program, box, status=told, filter_=filter_)
        yield Launch([*words, *command], box, tuple(given), variables, True, status, given)
    finally:
        _close([status, *given])
        if egress is not None:
            egress.close_doors()


def _door(egress: Egress) -> int:
    """The end of a socket pair over which the inlet hands the door out; the proxy waits at the other."""
    ours, theirs = socket.socketpair()
    egress.serve(ours)
    return theirs.detach()


def _read(status: int, until: bytes) -> bytes:
    """What bubblewrap tells, one JSON object after another, until these bytes or its end."""
    text = b""
    while until not in text:
        poll = select.poll()  # not select: descriptors of a busy worker may be beyond 1024
        poll.register(status, select.POLLIN | select.POLLHUP)
        piece = os.read(status, 4096) if poll.poll(PATIENCE * 1000) else b""
        if not piece:
            break
        text += piece
    return text


def _told(said: bytes, name: str) -> int:
    try:
        return int(json.loads(said.partition(b"}")[0] + b"}")[name])
    except (ValueError, KeyError, TypeError):
        return 0


def _close(descriptors: list[int]) -> None:
    while descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptors.pop())
