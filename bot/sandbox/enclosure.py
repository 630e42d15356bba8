"""What a command sees of the machine: bubblewrap's words for a system to read, a tree to work in, and nothing else.

Namespaces for users, mounts, processes, IPC, host name, control groups and (unless the operator granted the worker's
own network) the network; no capability; a seccomp filter; a private /tmp, /dev and HOME.
https://github.com/containers/bubblewrap
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.core.runs import machine_name
from bot.ports import Execution
from bot.sandbox import seccomp

USER: Final = 1000
TMP_BYTES: Final = 512 * 2**20
SHARED_BYTES: Final = 64 * 2**20
TRUE: Final = "/usr/bin/true"
PATIENCE: Final = 20.0
"""Seconds that the first command behind walls may take; it takes milliseconds."""
INLET: Final = Path(__file__).with_name("inlet.py")

_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS: Final = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "localtime", "mime.types", "pki", "protocols", "services", "ssl", "terminfo", "timezone",
)  # fmt: skip
"""What programs need of /etc; nothing of it is secret, and nobody's keys are below."""
_NAMES: Final = ("hosts", "nsswitch.conf", "resolv.conf")
"""More of it when names are looked up from inside."""


_OF_PYTHON: Final = ("bin", "lib", "lib64", "pyvenv.cfg")
"""What a virtual environment or an installation consists of, https://docs.python.org/3/library/venv.html."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """One run's walls. ``tree`` is its checkout; ``readable`` and ``writable`` are further places that the operator
    granted. ``host_network`` shares the worker's own network, because the operator said so.
    """

    run_id: str
    tree: Path
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    host_network: bool = False

    def words(self, execution: Execution, program: str, box: Path, *, status: int, filter_: int | None) -> list[str]:
        """Everything before the command. ``box`` is this command's own folder (see ``furnished``); ``status`` and
        ``filter_`` are file descriptors for bubblewrap: what it tells us, and its seccomp program."""
        words = [bubblewrap() or "bwrap", *self._walls(execution), *self._system(program, execution, box)]
        words += ["--json-status-fd", str(status)]
        words += ["--seccomp", str(filter_)] if filter_ is not None else []
        return [*words, "--chdir", str(execution.cwd), "--"]

    def _walls(self, execution: Execution) -> Iterator[str]:
        yield from ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
        if not (self.host_network and execution.network):
            yield "--unshare-net"
        yield from ("--uid", str(USER), "--gid", str(USER), "--hostname", machine_name(self.run_id))
        yield from ("--cap-drop", "ALL")
        if execution.dies_with_parent:
            yield "--die-with-parent"

    def _system(self, program: str, execution: Execution, box: Path) -> Iterator[str]:
        yield from ("--size", str(TMP_BYTES), "--tmpfs", "/tmp")  # noqa: S108 - a private one
        yield from ("--proc", "/proc", "--dev", "/dev", "--size", str(SHARED_BYTES), "--tmpfs", "/dev/shm")  # noqa: S108
        yield from ("--remount-ro", "/dev")
        for place in _SYSTEM:
            yield from _like_the_host(place)
        names = (*_SETTINGS, *(_NAMES if self.host_network and execution.network else ()))
        for name in names:
            yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
        for name in ("passwd", "group"):
            yield from ("--ro-bind", str(box / name), f"/etc/{name}")
        # What lies in the tree is seen as part of it: bound by itself, a link there would be followed out here.
        cwd = () if execution.cwd.is_relative_to(self.tree) else (execution.cwd,)
        folders = (*_interpreter(), *self.readable, *execution.readable, *cwd)
        for path in (*folders, *_program(program, folders, self.tree)):
            yield from ("--ro-bind-try", str(path), str(path))
        for path in (box / "home", self.tree, *self.writable, *execution.writable):
            yield from ("--bind", str(path), str(path))
        yield from ("--remount-ro", "/")


def furnished(box: Path) -> Path:
    """Make what one command needs for itself in the empty folder ``box``; its HOME is given back."""
    home = box / "home"
    home.mkdir(mode=0o700)
    (box / "passwd").write_text(f"run:x:{USER}:{USER}::{home}:/bin/sh\n")
    (box / "group").write_text(f"run:x:{USER}:\n")
    return home


def filter_descriptor() -> int | None:
    """The seccomp program to be read once by bubblewrap; None for a processor whose calls are not listed."""
    filter_ = seccomp.program()
    if filter_ is None:
        return None
    descriptor = os.memfd_create("seccomp")
    os.write(descriptor, filter_)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def bubblewrap() -> str | None:
    """Where the program is."""
    return shutil.which("bwrap")


def unavailable() -> str:
    """Why commands cannot be isolated here, in words for the operator; empty when they can. Tried for real until it
    worked once; so what a busy machine refused is not held against it."""
    if not _works:
        if problem := _tried():
            return problem
        _works.append(True)
    return ""


_works: Final[list[bool]] = []


def _tried() -> str:
    if sys.platform != "linux":
        return "isolation needs Linux namespaces"
    if bubblewrap() is None:
        return "bubblewrap is not installed"
    try:
        with tempfile.TemporaryDirectory(prefix="box-") as folder:
            done = _true_behind_walls(Path(folder))
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run: {type(error).__name__}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"bubblewrap may not isolate here: {said[-1][:200] if said else f'exit code {done.returncode}'}"


def _true_behind_walls(box: Path) -> subprocess.CompletedProcess[bytes]:
    """The very walls of a run around a command that does nothing: containers and service managers forbid single ones
    of them, the host name for instance."""
    furnished(box)
    tree = box / "tree"
    tree.mkdir()
    execution = Execution(argv=("true",), cwd=tree, env={}, timeout=PATIENCE)
    told, status = os.pipe()
    given = [status, *([filter_] if (filter_ := filter_descriptor()) is not None else [])]
    try:
        words = Enclosure("try", tree).words(execution, TRUE, box, status=status, filter_=filter_)
        return subprocess.run(
            [*words, TRUE], capture_output=True, timeout=PATIENCE, check=False, pass_fds=given, env={}
        )
    finally:
        for descriptor in (told, *given):
            os.close(descriptor)


def _like_the_host(place: str) -> tuple[str, ...]:
    path = Path(place)
    if path.is_symlink():
        return ("--symlink", str(path.readlink()), place)
    return ("--ro-bind", place, place) if path.is_dir() else ()


@functools.cache
def _interpreter() -> tuple[Path, ...]:
    """The Python that tools written in it (Ansible) live in, and the one it was made from: of both only what belongs
    to a Python, as people keep settings, tokens and data in the folder of a virtual environment too."""
    prefixes = dict.fromkeys((Path(sys.prefix), Path(sys.base_prefix)))
    return tuple(prefix / part for prefix in prefixes for part in _OF_PYTHON)


def _program(program: str, folders: tuple[Path, ...], tree: Path) -> list[Path]:
    """A program outside the system is seen itself, and what its link points at; never its neighbours. A link in the
    tree is the change's own and shows it nothing of the machine."""
    path = Path(program)
    if path.is_relative_to(tree):
        return []
    seen = (Path("/usr"), *folders)
    both = dict.fromkeys((path, path.resolve()))
    return [each for each in both if not any(each.is_relative_to(folder) for folder in seen)]
