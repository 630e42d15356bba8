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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from bot.core.errors import ToolFailed, ToolKilled, ToolMissing
from bot.core.redaction import Redactor
from bot.ports import Executed, Execution
from bot.sandbox.cgroup import Group, group
from bot.sandbox.egress import Egress
from bot.sandbox.enclosure import Enclosure, furnished
from bot.sandbox.launch import Launch, launching
from bot.sandbox.watchdog import Bounds, Watchdog, signal_inside

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TICK: Final = 0.05
KILLED: Final = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""How a death by SIGKILL is seen: by ourselves, or as bubblewrap and shells tell it of their children."""

UNBOUNDED: Final = Bounds()
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class ProcessSandbox:
    """Implements the port ``Sandbox``. With an ``enclosure`` commands are isolated by namespaces; without one they
    run beside us, which is only for changes whose authors may run code here.

    ``bounds`` stop what takes too much; ``egress`` is the only way out of an enclosure's own network.
    """

    def __init__(
        self,
        *,
        log: Callable[[str], None],
        redactor: Redactor,
        cancelled: Callable[[], bool],
        path: str = "",
        enclosure: Enclosure | None = None,
        bounds: Bounds = UNBOUNDED,
        egress: Egress | None = None,
    ) -> None:
        self._log = log
        self._redactor = redactor
        self._cancelled = cancelled
        self._path = path or f"{SYSTEM_PATH}:{Path(sys.executable).parent}"
        self._enclosure, self._bounds, self._egress = enclosure, bounds, egress

    def run(self, execution: Execution) -> Executed:
        """Run it to its end, its timeout or its cancellation. Raises ToolMissing, ToolFailed when it cannot be
        isolated, ToolKilled when neither we nor a limit of ours killed it."""
        program = self._program(execution)
        with tempfile.TemporaryDirectory(prefix="box-") as box:
            home = furnished(Path(box))
            egress = self._egress if execution.network else None
            with (
                launching(execution, program, Path(box), self._enclosure, egress) as launch,
                self._group() as held,
            ):
                limits = _limited(execution.dies_with_parent, self._bounds, held.doors)
                done = self._follow(execution, launch, self._environment(execution, home, launch), home, limits)
                if done.code and not done.exceeded and held.out_of_memory():
                    self._log(f"\nstopped: {self._bounds.too_much_memory()}\n")
                    return replace(done, exceeded=self._bounds.too_much_memory())
                if done.code in KILLED and not (done.exceeded or done.cancelled or done.timed_out):
                    raise ToolKilled(f"`{execution.argv[0]}` was killed (SIGKILL) by something outside Headgate")
                return done

    def _group(self) -> contextlib.AbstractContextManager[Group]:
        if not self._bounds.kernel:
            return contextlib.nullcontext(Group())
        return group(self._bounds.processes, self._bounds.memory)

    def _program(self, execution: Execution) -> str:
        """A path is one of the tree's own programs; a word is looked for where tools are."""
        word = execution.argv[0]
        return str(execution.cwd / word) if "/" in word else self.find(word)

    def find(self, word: str) -> str:
        """Where a tool is. Raises ToolMissing when it is nowhere."""
        program = shutil.which(word, path=self._path)
        if program is None:
            raise ToolMissing(f"{word} is not installed on this worker (looked in {self._path})")
        return program

    def _follow(
        self,
        execution: Execution,
        launch: Launch,
        environment: dict[str, str],
        home: Path,
        limits: Callable[[], None],
    ) -> Executed:
        started = time.monotonic()
        process = subprocess.Popen(
            launch.argv,
            cwd=launch.cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=launch.descriptors,
            # A group of its own, but our session: proof of death looks for what is left of the run's session.
            process_group=0,
            preexec_fn=limits,
        )
        out = _Pump(process.stdout, execution.keep_bytes, None if execution.quiet else self._lines())
        err = _Pump(process.stderr, execution.keep_bytes, self._lines())
        _fed(process, execution.stdin)
        init = launch.started()
        ending = self._wait(process, init, execution, self._watchdog(process.pid, execution, home), started)
        _kill_group(process.pid, signal.SIGKILL)
        for pump in (out, err):
            pump.join()
        # Were bubblewrap itself killed, nobody could tell whether the command was reached.
        reached = launch.ran() or process.returncode in KILLED
        if not (ending.told or ending.exceeded or reached):
            words = tuple(bytes(err.kept).decode("utf-8", "replace").splitlines()[-5:])
            raise ToolFailed("the command could not be isolated, so it was not run", words)
        return Executed(
            code=process.returncode,
            stdout=bytes(out.kept),
            stderr=bytes(err.kept),
            seconds=time.monotonic() - started,
            timed_out=ending.timed_out,
            truncated=out.truncated or err.truncated,
            cancelled=ending.cancelled,
            exceeded=ending.exceeded,
        )

    def _watchdog(self, root: int, execution: Execution, home: Path) -> Watchdog:
        tree = (self._enclosure.tree,) if self._enclosure else ()
        return Watchdog(root, self._bounds, (home, *tree, *execution.writable))

    def _environment(self, execution: Execution, home: Path, launch: Launch) -> dict[str, str]:
        return {
            "PATH": self._path,
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            **launch.variables,
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

    def _wait(
        self, process: subprocess.Popen[bytes], init: int, execution: Execution, dog: Watchdog, started: float
    ) -> _Ending:
        """Until it ends; the ladder INT, TERM, KILL when time is up or somebody cancels, KILL at once when it takes
        more than it may."""
        ending = _Ending()
        while not _ended(process):
            now = time.monotonic()
            if ending.exceeded:
                continue
            ending.exceeded = dog.complaint()
            if ending.exceeded:
                self._log(f"\nstopped: {ending.exceeded}\n")
                _send(process.pid, init, signal.SIGKILL)
            elif ending.told is None:
                ending.timed_out, ending.cancelled = now - started > execution.timeout, self._cancelled()
                if ending.timed_out or ending.cancelled:
                    ending.told = now
                    _send(process.pid, init, signal.SIGINT)
            elif now - ending.told > execution.grace * (ending.step + 1) and ending.step < 2:
                ending.step += 1
                _send(process.pid, init, signal.SIGTERM if ending.step == 1 else signal.SIGKILL)
        return ending


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


@dataclass(slots=True)
class _Ending:
    """Why and how far a command was told to end."""

    told: float | None = None
    step: int = 0
    timed_out: bool = False
    cancelled: bool = False
    exceeded: str = ""


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


def _fed(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Whoever does not read what it is given is not waited for."""
    if data:
        threading.Thread(target=_feed, args=(process, data), daemon=True).start()
    elif process.stdin is not None:
        process.stdin.close()


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, OSError):
        if process.stdin is not None:
            process.stdin.write(data)
            process.stdin.close()


def _send(pid: int, init: int, number: signal.Signals) -> None:
    """To the command's whole group. In an enclosure gentle signals go to the command alone: they would end the wall
    around it, and that the command, before it could tidy up."""
    if init and number != signal.SIGKILL:
        signal_inside(init, number)
        return
    _kill_group(pid, number)
    if init:
        with contextlib.suppress(ProcessLookupError):
            os.kill(init, number)


def _kill_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _limited(dies_with_parent: bool, bounds: Bounds, doors: tuple[int, ...]) -> Callable[[], None]:
    """Runs in the new process before the program: into its control group, no core file, no file larger than all may
    be, no more processes than allowed, not deaf to what stops it gently (as a worker that a shell started in the
    background is), and for plans death with their parent.

    prctl is looked up before the fork; between fork and exec only async-signal-safe work is done.
    https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" and dies_with_parent else None
    limits = [(resource.RLIMIT_CORE, 0)]
    if bounds.disk:
        limits.append((resource.RLIMIT_FSIZE, bounds.disk))
    if bounds.processes and os.geteuid() != 0:
        # Counted for the user, within the command's own user namespace; the superuser is never counted.
        limits.append((resource.RLIMIT_NPROC, bounds.processes))

    def set_up() -> None:
        for door in doors:
            os.write(door, b"0")
        for limit, value in limits:
            resource.setrlimit(limit, (value, value))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if prctl is not None:
            prctl(1, signal.SIGKILL)

    return set_up
