"""Commands as processes of their own group: nothing inherited, bounded in time and output, none left behind."""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from bot.core.errors import ToolMissing
from bot.core.redaction import Redactor
from bot.ports import Executed, Execution

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TICK: Final = 0.05
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class ProcessSandbox:
    """Implements the port ``Sandbox`` without isolation: for changes whose authors may run code here."""

    def __init__(
        self, *, log: Callable[[str], None], redactor: Redactor, cancelled: Callable[[], bool], path: str = ""
    ) -> None:
        self._log = log
        self._redactor = redactor
        self._cancelled = cancelled
        self._path = path or f"{SYSTEM_PATH}:{Path(sys.executable).parent}"

    def run(self, execution: Execution) -> Executed:
        """Run it to its end, its timeout or its cancellation. Raises ToolMissing."""
        program = shutil.which(execution.argv[0], path=self._path)
        if program is None:
            raise ToolMissing(f"{execution.argv[0]} is not installed on this worker (looked in {self._path})")
        with tempfile.TemporaryDirectory(prefix="home-") as home:
            started = time.monotonic()
            process = subprocess.Popen(
                [program, *execution.argv[1:]],
                cwd=execution.cwd,
                env=self._environment(execution, home),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A group of its own, but our session: proof of death looks for what is left of the run's session.
                process_group=0,
                preexec_fn=_limited(execution.dies_with_parent),
            )
            out = _Pump(process.stdout, execution.keep_bytes, None if execution.quiet else self._lines())
            err = _Pump(process.stderr, execution.keep_bytes, self._lines())
            feeder = threading.Thread(target=_feed, args=(process, execution.stdin), daemon=True)
            feeder.start()
            timed_out, cancelled = self._wait(process, execution, started)
            _kill_group(process.pid, signal.SIGKILL)
            for pump in (out, err):
                pump.join()
            return Executed(
                code=process.returncode,
                stdout=bytes(out.kept),
                stderr=bytes(err.kept),
                seconds=time.monotonic() - started,
                timed_out=timed_out,
                truncated=out.truncated or err.truncated,
                cancelled=cancelled,
            )

    def _environment(self, execution: Execution, home: str) -> dict[str, str]:
        return {
            "PATH": self._path,
            "HOME": home,
            "TMPDIR": home,
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            **execution.env,
        }

    def _lines(self) -> Callable[[bytes | None], None]:
        """Takes raw pieces (None at the end), gives whole, clean, redacted lines to the log."""
        raw, clean = self._redactor.stream(), self._redactor.stream()
        decoder = _decoder()

        def take(piece: bytes | None) -> None:
            text = decoder.decode(piece or b"", final=piece is None)
            shown = raw.feed(text) if piece is not None else raw.feed(text) + raw.flush()
            # Once more: a value that colours cut in pieces is whole only when they are gone.
            shown = clean.feed(_CONTROL.sub("", _ESCAPES.sub("", shown.replace("\r\n", "\n").replace("\r", "\n"))))
            if piece is None:
                shown += clean.flush()
            if shown:
                self._log(shown)

        return take

    def _wait(self, process: subprocess.Popen[bytes], execution: Execution, started: float) -> tuple[bool, bool]:
        """Until it ends; the ladder INT, TERM, KILL when time is up or somebody cancels."""
        told: float | None = None
        step, timed_out, cancelled = 0, False, False
        while not _ended(process):
            now = time.monotonic()
            if told is None:
                timed_out, cancelled = now - started > execution.timeout, self._cancelled()
                if timed_out or cancelled:
                    told = now
                    _kill_group(process.pid, signal.SIGINT)
            elif now - told > execution.grace * (step + 1) and step < 2:
                step += 1
                _kill_group(process.pid, signal.SIGTERM if step == 1 else signal.SIGKILL)
        return timed_out, cancelled


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended within a tick; told at once where the kernel can, as ``Popen.wait`` only looks now and then.

    https://man7.org/linux/man-pages/man2/pidfd_open.2.html
    """
    if sys.platform == "linux" and process.returncode is None:
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(process.pid)
            try:
                poll = select.poll()  # not select: descriptors of a busy worker may be beyond 1024
                poll.register(handle, select.POLLIN)
                if not poll.poll(TICK * 1000):
                    return False
            finally:
                os.close(handle)
    try:
        process.wait(TICK)
    except subprocess.TimeoutExpired:
        return False
    return True


class _Pump:
    """Reads one stream to its end, keeps what is allowed, passes everything on to the log."""

    def __init__(self, stream: IO[bytes] | None, keep: int, log: Callable[[bytes | None], None] | None) -> None:
        self.kept = bytearray()
        self.truncated = False
        self._stream, self._keep, self._log = stream, keep, log
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while self._stream is not None:
            piece = os.read(self._stream.fileno(), 65536)
            if not piece:
                break
            room = self._keep - len(self.kept)
            self.kept += piece[:room]
            self.truncated = self.truncated or len(piece) > room
            if self._log is not None:
                self._log(piece)
        if self._log is not None:
            self._log(None)

    def join(self) -> None:
        """Wait for the end; whoever still holds the pipe was killed with the group."""
        self._thread.join(10)
        if self._stream is not None and not self._thread.is_alive():
            self._stream.close()


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, OSError):
        if process.stdin is not None:
            process.stdin.write(data)
            process.stdin.close()


def _kill_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _limited(dies_with_parent: bool) -> Callable[[], None]:
    """Runs in the new process before the program: no core file, and for plans death with their parent.

    prctl is looked up before the fork; between fork and exec only async-signal-safe work is done.
    https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" and dies_with_parent else None

    def set_up() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if prctl is not None:
            prctl(1, signal.SIGKILL)

    return set_up
