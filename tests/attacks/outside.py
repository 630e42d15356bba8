"""What an attacker may want and must not get: canaries all over the machine, and ears that notice being reached.

Everything is harmless and ours: files in temporary folders, listeners on loopback, a process that sleeps.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import psutil

CANARY: Final = re.compile(rb"canary-[a-z]+-[0-9a-f]{24}")
"""How a canary looks; an attacker that found one tells its digest, as no redactor knows that."""


def canary(name: str) -> str:
    """A new secret of this name (lower-case letters)."""
    return f"canary-{name}-{secrets.token_hex(12)}"


def digest(value: str) -> str:
    """What an attacker says of what it took."""
    return hashlib.sha256(value.encode()).hexdigest()[:40]


MODULE: Final = 'output "taken" {\n  value = substr(sha256(file("@file@")), 0, 40)\n}\n'
"""A module of Terraform that somebody else keeps on the worker."""
WANTED: Final = ("file", "variable", "memory", "keyring", "foreign", "shared", "argument", "environment")
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.shmat.restype = ctypes.c_void_p


def _in_the_keyring(value: str) -> bool:
    """Keep a secret in this session's keyring of the kernel, as Kerberos and container engines do; whether it could.

    https://man7.org/linux/man-pages/man7/keyrings.7.html
    """
    if platform.machine() != "x86_64":
        return False
    join_session, add_key, session = 1, 248, -3
    _LIBC.syscall(250, join_session, b"headgate-attacks")
    return int(_LIBC.syscall(add_key, b"user", b"headgate-attacked", value.encode(), len(value), session)) >= 0


class Segment:
    """Memory that processes of one IPC namespace can share (System V), with a secret in it."""

    def __init__(self, value: str) -> None:
        self.key = 0x48470000 | (os.getpid() & 0xFFFF)
        self._id = _LIBC.shmget(self.key, 4096, 0o1600)
        if self._id >= 0:
            place = _LIBC.shmat(self._id, None, 0)
            ctypes.memmove(place, value.encode(), len(value))
            _LIBC.shmdt(ctypes.c_void_p(place))

    def remove(self) -> None:
        """Give it back to the system."""
        _LIBC.shmctl(self._id, 0, None)


class Ears:
    """Listeners of the worker's own network: TCP, UDP, an abstract socket, and one in the file system."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[str] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self.abstract = f"headgate-attacks-{os.getpid()}"
        self._abstract = _unix(f"\0{self.abstract}")
        self.path = folder / "ears.sock"
        self._path = _unix(str(self.path))
        for name, door in (("tcp", self._tcp), ("abstract", self._abstract), ("unix", self._path)):
            threading.Thread(target=self._answer, args=(name, door), daemon=True).start()
        threading.Thread(target=self._hear, daemon=True).start()

    @property
    def tcp(self) -> int:
        """The port that counts connections."""
        return int(self._tcp.getsockname()[1])

    @property
    def udp(self) -> int:
        """The port that counts datagrams."""
        return int(self._udp.getsockname()[1])

    def _answer(self, name: str, door: socket.socket) -> None:
        while True:
            try:
                inside, _ = door.accept()
            except OSError:
                return
            self.heard.append(name)
            with inside, contextlib.suppress(OSError):
                inside.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nheard")

    def _hear(self) -> None:
        while True:
            try:
                self._udp.recvfrom(4096)
            except OSError:
                return
            self.heard.append("udp")

    def has_heard(self, name: str) -> bool:
        """Whether anybody came this way; what was just sent is waited for."""
        deadline = time.monotonic() + 0.1
        while name not in self.heard and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        return name in self.heard

    def close(self) -> None:
        """Deaf from now on."""
        for door in (self._tcp, self._abstract, self._path):
            door.shutdown(socket.SHUT_RDWR)
            door.close()
        self._udp.close()


def _unix(name: str) -> socket.socket:
    door = socket.socket(socket.AF_UNIX)
    door.bind(name)
    door.listen(16)
    return door


class Outside:
    """The machine around the runs. ``names`` are what an attacker is told, so that it need not search."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.canaries = {name: canary(name) for name in WANTED}
        self.keyring = _in_the_keyring(self.canaries["keyring"])
        self._segment = Segment(self.canaries["shared"])
        self.ears = Ears(folder)
        self.file = folder / "host.key"
        self._other = folder / "granted" / "of-somebody-else"
        self._other.parent.mkdir()
        (folder / "module").mkdir()
        (folder / "module" / "main.tf").write_text(MODULE.replace("@file@", str(self.file)))
        os.environ["HEADGATE_ATTACKED"] = self.canaries["variable"]
        self._memory = ctypes.create_string_buffer(self.canaries["memory"].encode())
        self._victim = self._started()
        self.reset()

    @property
    def names(self) -> Mapping[str, str]:
        """Where things are, by the word that stands for it in an attack's files."""
        return {
            "file": str(self.file),
            "folder": str(self._folder),
            "foreign": str(self._other),
            "tcp": str(self.ears.tcp),
            "udp": str(self.ears.udp),
            "abstract": self.ears.abstract,
            "unix": str(self.ears.path),
            "worker": str(os.getpid()),
            "address": str(ctypes.addressof(self._memory)),
            "victim": str(self._victim.pid),
            "segment": str(self._segment.key),
        }

    def reset(self) -> None:
        """As before any attack."""
        self.ears.heard.clear()
        for left in self._strange():
            left.unlink()
        self.file.write_text(self.canaries["file"])
        self._other.unlink(missing_ok=True)
        self._other.write_text(self.canaries["foreign"])
        if os.geteuid() == 0:
            os.chown(self._other, 4321, 4321)
        self._other.chmod(0o600)
        if self._victim.poll() is not None:
            self._victim = self._started()

    @property
    def spoiled(self) -> bool:
        """Whether the host's file is another than it was, or has company."""
        return self.file.read_text() != self.canaries["file"] or bool(self._strange())

    def _strange(self) -> list[Path]:
        ours = {self.file, self._other.parent, self.ears.path, self._folder / "module"}
        return sorted(set(self._folder.iterdir()) - ours)

    @property
    def victim_lives(self) -> bool:
        """Whether a process of the worker still goes on."""
        return self._victim.poll() is None

    def _started(self) -> subprocess.Popen[bytes]:
        """A process of the worker, such as the command of another run would be."""
        words = [sys.executable, "-c", "import time; time.sleep(3600)", self.canaries["argument"]]
        return subprocess.Popen(words, env={"KEY": self.canaries["environment"]})

    def close(self) -> None:
        """Take everything away."""
        self.ears.close()
        self._victim.kill()
        self._victim.wait()
        self._segment.remove()
        os.environ.pop("HEADGATE_ATTACKED", None)


def living(mark: str) -> list[psutil.Process]:
    """Processes of this machine that carry this word in their command line."""
    found = []
    for each in psutil.process_iter(["cmdline", "status"]):
        if each.info["status"] != psutil.STATUS_ZOMBIE and any(mark in word for word in each.info["cmdline"] or ()):
            found.append(each)
    return found


def until(look: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True
