"""Where a run may connect to: names and ports that the operator listed, and addresses that nobody may list.

A name is judged twice: as it was asked for, and by the addresses it resolves to, so that no name leads inside.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

DEFAULT_PORT: Final = 443
LONGEST_NAME: Final = 253
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")

METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "169.254.0.23",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "fe80::a9fe:a9fe",
        "100.100.100.200",
        "192.0.0.192",
    )
)
"""Where clouds hand out the machine's own credentials: AWS, Azure (and its agent's own service), Google, ECS,
EKS, Alibaba, Oracle, Tencent, OpenStack."""

NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""An address of the old kind as it is reached from networks of the new one only; RFC 6052."""


@dataclass(frozen=True, slots=True)
class Destination:
    """``host`` is a lower-case name, ``*.`` and a name for everything below it, or an address in one spelling."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def covers(self, host: str, port: int) -> bool:
        """Whether a connection to ``host`` (as asked for) is one of these."""
        if port != self.port:
            return False
        asked = canonical(host)
        if self.host.startswith("*."):
            return asked.endswith(self.host[1:]) and len(asked) > len(self.host) - 1
        return asked == self.host


def parse(text: str) -> Destination | None:
    """``registry.example.com``, ``*.example.com:8443``, ``192.0.2.1:22``, ``[2001:db8::1]:443``; None for others."""
    host, port = split(text, DEFAULT_PORT)
    bare = host.removeprefix("*.").removesuffix(".")
    if port is None or not ((is_address(bare) and bare == host) or _is_name(bare)):
        return None
    return Destination(("*." if host.startswith("*.") else "") + canonical(bare), port)


def split(text: str, default: int) -> tuple[str, int | None]:
    """Host and port of ``HOST[:PORT]``; port None when it is not a port."""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if rest else ""
        if not closed or (rest and not rest.startswith(":")) or not is_address(host):
            return "", None
    elif text.count(":") > 1:
        return (text, default) if is_address(text) else ("", None)
    else:
        host, colon, port = text.partition(":")
        if colon and not port:
            return host, None
    if not port:
        return host, default
    if not (port.isascii() and port.isdecimal() and len(port) <= 5):
        return host, None
    number = int(port)
    return host, number if 0 < number < 65536 else None


def canonical(host: str) -> str:
    """One spelling of a host: lower case, no root dot, addresses as the standard writes them."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def is_address(host: str) -> bool:
    """Whether this is an IP address rather than a name; one with a zone (``fe80::1%eth0``) is neither."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _is_name(host: str) -> bool:
    labels = host.split(".")
    return (
        0 < len(host) <= LONGEST_NAME
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def allowed(destinations: Iterable[Destination], host: str, port: int) -> bool:
    """Whether the operator listed it."""
    return any(each.covers(host, port) for each in destinations)


def forbidden_address(address: str, host: str) -> str:
    """Why nothing may connect to this address when ``host`` was asked for; empty when it may.

    This machine's own and link-local addresses are reached only when the operator listed the address itself, the
    metadata services never: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "it is no address"
    if isinstance(found, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in NAT64 else None
        found = found.ipv4_mapped or found.sixtofour or inner or found
    if found in METADATA:
        return "it is a cloud's metadata service"
    if found.is_multicast or found.is_unspecified:
        return "it is no single machine"
    inside = found.is_loopback or found.is_link_local
    if inside and canonical(host) != str(found):
        return "it leads back to this machine or its link"
    return ""
