"""Runs inside a sandbox, before the command: opens the one door of a network namespace that has no other.

Started as ``python -I -S inlet.py DESCRIPTOR PORT PROGRAM ARGUMENT…``: listens on 127.0.0.1:PORT of the namespace,
hands the listening socket out over the Unix socket DESCRIPTOR, and becomes the command. Whoever has the socket
outside is the proxy; nothing of ours stays inside.
"""

import os
import socket
import sys


def main() -> None:
    """Never returns."""
    descriptor, port, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with socket.socket(fileno=descriptor) as outside, socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", port))
        door.listen(64)
        socket.send_fds(outside, [b"x"], [door.fileno()])
        outside.recv(1)
    os.execv(program, sys.argv[3:])  # noqa: S606 - it becomes the command


if __name__ == "__main__":
    main()
