"""The proxy through which a run reaches what the operator listed, and nothing else.

It runs in the run's own process, outside the sandbox; its listening socket was made inside (see ``inlet``). Names are
resolved here, judged again as addresses, and the judged address is the one connected to, so a name cannot change
between the two. https://www.rfc-editor.org/rfc/rfc9110#name-connect
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

from bot.core.config.document import shown
from bot.core.destinations import Destination, allowed, forbidden_address, split

PORT: Final = 3128
HEAD_BYTES: Final = 32 * 1024
PATIENCE: Final = 30.0
IDLE: Final = 600.0
CONNECTIONS: Final = 64
TOLD: Final = 50
"""Different refusals written into a run's log at most."""


class Refused(Exception):
    """The request is answered with this status and sentence."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


class Egress:
    """One run's proxy. ``log`` is told once of each place that was refused."""

    def __init__(self, destinations: tuple[Destination, ...], log: Callable[[str], None]) -> None:
        self._destinations = destinations
        self._log = log
        self._told: set[str] = set()
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        self._doors: list[socket.socket] = []
        self._lock = threading.Lock()

    def variables(self) -> dict[str, str]:
        """What tells a program to use it."""
        here = f"http://127.0.0.1:{PORT}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        return {spelt: here for name in names for spelt in (name, name.lower())}

    def serve(self, ours: socket.socket) -> None:
        """Wait for the door that one command's inlet hands out, then let connections through it."""
        threading.Thread(target=self._serve, args=(ours,), name="egress", daemon=True).start()

    def _serve(self, ours: socket.socket) -> None:
        with ours, contextlib.suppress(OSError):
            ours.settimeout(PATIENCE)
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
            if not descriptors:
                return
            with socket.socket(fileno=descriptors[0]) as door:
                with self._lock:
                    self._doors.append(door)
                ours.send(b"x")
                while True:
                    inside, _ = door.accept()
                    if self._slots.acquire(blocking=False):
                        threading.Thread(target=self._carry, args=(inside,), daemon=True).start()
                    else:
                        inside.close()

    def close_doors(self) -> None:
        """The command ended: nothing comes through its door any more, and what is under way runs dry with it."""
        with self._lock:
            doors, self._doors = self._doors, []
        for door in doors:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)

    def _carry(self, inside: socket.socket) -> None:
        try:
            with inside:
                inside.settimeout(PATIENCE)
                try:
                    self._through(inside)
                except Refused as refused:
                    answer = f"HTTP/1.1 {refused.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    inside.sendall(answer.encode())
        except OSError:
            return
        finally:
            self._slots.release()

    def _through(self, inside: socket.socket) -> None:
        head, rest = _head(inside)
        method, target, version = _request_line(head)
        if method == "CONNECT":
            host, port = split(target, 443)
            first = b""
        elif target.startswith("http://"):
            place, slash, path = target.removeprefix("http://").partition("/")
            host, port = split(place.rpartition("@")[2], 80)
            first = _onward(head, method, (slash + path) or "/", version) + rest
        else:
            raise Refused("400 Bad Request", "not a request to a proxy")
        with self._connected(host, port) as outside:
            if method == "CONNECT":
                inside.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                first = rest
            outside.sendall(first)
            self._splice(inside, outside)

    def _connected(self, host: str, port: int | None) -> socket.socket:
        if port is None or not host or not allowed(self._destinations, host, port):
            self._refuse(host, port, "the operator did not list it (`network:`)")
        why = "its name is not known"
        for address in _addresses(host, port or 0):
            why = forbidden_address(str(address[4][0]), host)
            if not why:
                with contextlib.suppress(OSError):
                    return _opened(address)
                why = "it does not answer"
        return self._refuse(host, port, why)

    def _refuse(self, host: str, port: int | None, why: str) -> socket.socket:
        place = f"{shown(host, 200)}:{port}"
        if place not in self._told and len(self._told) < TOLD:
            self._told.add(place)
            self._log(f"network: no connection to {place}: {why}\n")
        raise Refused("403 Forbidden", why)

    def _splice(self, inside: socket.socket, outside: socket.socket) -> None:
        """Bytes both ways until one side ends or falls silent; a command that ends takes its side along."""
        with selectors.DefaultSelector() as selector:
            selector.register(inside, selectors.EVENT_READ, outside)
            selector.register(outside, selectors.EVENT_READ, inside)
            while True:
                ready = selector.select(IDLE)
                if not ready:
                    return
                for key, _ in ready:
                    piece = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if piece:
                        key.data.sendall(piece)
                        continue
                    with contextlib.suppress(OSError):
                        key.data.shutdown(socket.SHUT_WR)
                    selector.unregister(key.fileobj)
                    if not selector.get_map():
                        return


def _head(inside: socket.socket) -> tuple[list[str], bytes]:
    """A request's lines, and what already came behind them."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = inside.recv(4096)
        if not piece or len(data) > HEAD_BYTES:
            raise Refused("400 Bad Request", "no request")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def _request_line(head: list[str]) -> tuple[str, str, str]:
    parts = head[0].split(" ")
    if len(parts) != 3:
        raise Refused("400 Bad Request", "no request line")
    return parts[0], parts[1], parts[2]


def _onward(head: list[str], method: str, path: str, version: str) -> bytes:
    """The request as the origin wants it: no second request follows on this connection, as it might go elsewhere."""
    kept = [line for line in head[1:] if not line.lower().startswith(("proxy-", "connection:", "keep-alive:"))]
    return "\r\n".join([f"{method} {path} {version}", *kept, "Connection: close", "", ""]).encode("latin-1")


_Address = tuple[int, int, int, str, tuple[str | int, ...]]


def _addresses(host: str, port: int) -> Iterator[_Address]:
    try:
        yield from socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # type: ignore[misc]
    except (OSError, UnicodeError):
        return


def _opened(address: _Address) -> socket.socket:
    family, kind, protocol, _, place = address
    found = socket.socket(family, kind, protocol)
    try:
        found.settimeout(PATIENCE)
        found.connect(place)
    except OSError:
        found.close()
        raise
    return found
