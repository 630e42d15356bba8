"""The proxy's log: what a run asked for is told in one line, whatever it asked for."""

from __future__ import annotations

import socket

from bot.sandbox.egress import Egress


def asked(egress: Egress, request: bytes) -> bytes:
    """The answer to one request."""
    ours, theirs = socket.socketpair()
    egress.serve(ours)
    with theirs, socket.create_server(("127.0.0.1", 0)) as door:
        socket.send_fds(theirs, [b"x"], [door.fileno()])
        assert theirs.recv(1) == b"x"
        with socket.create_connection(door.getsockname()[:2]) as outside:
            outside.settimeout(10)
            outside.sendall(request)
            return outside.recv(1000)


def test_a_refused_name_cannot_write_lines_of_its_own_into_the_log() -> None:
    told: list[str] = []
    egress = Egress((), told.append)
    answer = asked(egress, b"CONNECT evil\nheadgate\x1b[2J-done:443 HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert told == [
        "network: no connection to evil·headgate·[2J-done:443: the operator did not list it (`network:`)\n"
    ]
