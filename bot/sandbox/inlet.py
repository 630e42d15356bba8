"""Runs inside a sandbox, before the command: opens the one door of a network namespace that has no other.

Started as ``python -I -S inlet.py DESCRIPTOR PORT PROGRAM ARGUMENT…``: listens on 127.0.0.1:PORT of the namespace,
hands the listening socket out over the Unix socket DESCRIPTOR, and becomes the command. Whoever has the socket
outside is the proxy; nothing of ours stays inside.
"""

# The C modules alone: what ``socket`` and ``os`` import beside them would cost every command more than the walls do.
import _socket
import posix
import sys


def main() -> None:
    """Never returns."""
    descriptor, port, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    outside = _socket.socket(fileno=descriptor)
    door = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    door.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    door.listen(64)
    number = door.fileno().to_bytes(4, sys.byteorder)
    outside.sendmsg([b"x"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, number)])
    outside.recv(1)
    door.close()
    outside.close()
    posix.execv(program, sys.argv[3:])


if __name__ == "__main__":
    main()
