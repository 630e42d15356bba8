"""Requests to the proxy through which a run reaches listed destinations, and how destinations are written."""

from __future__ import annotations

import socket
import threading

from fuzzing.subject import Subject, demand

from bot.core.destinations import Destination, allowed, canonical, parse
from bot.sandbox.egress import HEAD_BYTES, Egress


class _Origin:
    """A server that the operator listed: it says that it was reached, and keeps what it was sent."""

    def __init__(self) -> None:
        self.door = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.door.getsockname()[1]
        self.heads: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            inside, _ = self.door.accept()
            with inside:
                inside.settimeout(5)
                kept = b""
                try:
                    while piece := inside.recv(65536):
                        kept += piece
                except OSError:
                    pass
                self.heads.append(kept)
                try:
                    inside.sendall(b"REACHED")
                except OSError:
                    continue


_origin: list[_Origin] = []


def proxy(data: bytes) -> None:
    """Any bytes are refused with a status, or reach the one listed place; nothing else is connected to."""
    if not _origin:
        _origin.append(_Origin())
    origin = _origin[0]
    listed = Destination("127.0.0.1", origin.port)
    told: list[str] = []
    egress = Egress((listed,), told.append)
    ours, theirs = socket.socketpair()
    request = data.replace(b"PORT", str(origin.port).encode())[: 2 * HEAD_BYTES]
    egress._slots.acquire()
    with theirs:
        theirs.settimeout(10)
        writer = threading.Thread(target=_write, args=(theirs, request))
        writer.start()
        egress._carry(ours)
        writer.join()
        answer = _rest(theirs)
    first = answer.partition(b"\r\n")[0]
    refused = first in (b"HTTP/1.1 400 Bad Request", b"HTTP/1.1 403 Forbidden")
    demand(refused or answer.endswith(b"REACHED") or not answer, f"an answer {first[:60]!r}")
    demand(all(line.count("\n") == 1 and "\r" not in line for line in told), "a refusal is one line of the log")
    if answer.endswith(b"REACHED") and not answer.startswith(b"HTTP/1.1 200"):
        head = origin.heads.pop().partition(b"\r\n\r\n")[0]
        closing = [line for line in head.split(b"\r\n") if line.lower().startswith(b"connection:")]
        demand(closing == [b"Connection: close"], "no second request follows on a plain connection")
    origin.heads.clear()


def _write(side: socket.socket, request: bytes) -> None:
    try:
        side.sendall(request)
        side.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _rest(side: socket.socket) -> bytes:
    found = b""
    try:
        while piece := side.recv(65536):
            found += piece
    except OSError:
        return found
    return found


def destination(data: bytes) -> None:
    """Any text is a destination or none; one that is, covers itself, and is written as it is read."""
    text = data.decode("utf-8", "replace")
    found = parse(text)
    if found is None:
        return
    demand(parse(str(found)) == found, "a destination is written as it is read")
    host = f"a{found.host[1:]}" if found.host.startswith("*.") else found.host
    demand(allowed([found], host, found.port), "a destination covers itself")
    demand(allowed([found], host.upper() + ".", found.port) or ":" in host or host[-1].isdigit(), "in any case")
    demand(not allowed([found], f"{host}.evil.invalid", found.port), "and nothing that only begins like it")
    demand(canonical(canonical(host)) == canonical(host), "one spelling")


REQUESTS = (
    b"CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nProxy-Authorization: x\r\n\r\nhello",
    b"GET http://127.0.0.1:PORT/a/b?c HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nProxy-Connection: x\r\n\r\n",
    b"GET http://user@169.254.169.254/latest HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n",
)
PLACES = (
    b"registry.example.com",
    b"*.example.com:8443",
    b"192.0.2.1:22",
    b"[2001:db8::1]:443",
    b"::1",
    b"a..b",
    b"[fe80::1%x]:1",
)
WORDS = (
    b"CONNECT ",
    b"GET ",
    b"http://",
    b" HTTP/1.1",
    b"\r\n",
    b"\n",
    b"\r\n\r\n",
    b"127.0.0.1",
    b":PORT",
    b"@",
    b"Connection: ",
    b"[",
    b"]",
    b"%",
)

SUBJECTS = (
    Subject("proxy", proxy, REQUESTS, WORDS, 2 * HEAD_BYTES, weight=0.3),
    Subject(
        "destination", destination, PLACES, (b"*.", b":", b"[", b"]", b".", b"%", b"0x7f", b"::"), 1000, weight=1.5
    ),
)
