"""Which connections of a run are allowed, and which nobody can allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.destinations import Destination, allowed, canonical, forbidden_address, parse, split


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("registry.example.com", Destination("registry.example.com", 443)),
        ("Registry.Example.COM.", Destination("registry.example.com", 443)),
        ("*.example.com:8443", Destination("*.example.com", 8443)),
        ("192.0.2.1:22", Destination("192.0.2.1", 22)),
        ("[2001:DB8::1]:443", Destination("2001:db8::1", 443)),
        ("[2001:db8::1]", Destination("2001:db8::1", 443)),
        ("2001:db8::1", Destination("2001:db8::1", 443)),
        ("localhost:80", Destination("localhost", 80)),
    ],
)
def test_a_destination_is_a_name_or_address_with_a_port(text: str, wanted: Destination) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.", "a b", "https://example.com", "example.com:0", "example.com:65536", "example.com:", "a:b:c",
     "[::1", "[::1]x", "[name]:1", "*.192.0.2.1", "ex_ample..com", "1.2.3", "example.com:٣", "-a.com", "x" * 254],
)  # fmt: skip
def test_anything_else_is_no_destination(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("pattern", "host", "port", "wanted"),
    [
        ("example.com", "EXAMPLE.com.", 443, True),
        ("example.com", "www.example.com", 443, False),
        ("example.com", "example.com", 80, False),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", ".example.com", 443, False),
        ("*.example.com", "evilexample.com", 443, False),
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
    ],
)
def test_a_pattern_covers_exactly_what_it_says(pattern: str, host: str, port: int, wanted: bool) -> None:
    destination = parse(pattern)
    assert destination is not None

    assert allowed((destination,), host, port) is wanted


@pytest.mark.parametrize(
    ("address", "host", "allowed_there"),
    [
        ("192.0.2.7", "example.com", True),
        ("10.0.0.7", "db.internal", True),
        ("127.0.0.1", "rebound.example.com", False),
        ("127.0.0.1", "localhost", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "rebound.example.com", False),
        ("::ffff:127.0.0.1", "rebound.example.com", False),
        ("fe80::1%eth0", "printer", False),
        ("169.254.169.254", "169.254.169.254", False),
        ("::ffff:169.254.169.254", "metadata", False),
        ("fd00:ec2::254", "fd00:ec2::254", False),
        ("64:ff9b::a9fe:a9fe", "metadata", False),
        ("64:ff9b::7f00:1", "rebound.example.com", False),
        ("64:ff9b::c000:207", "example.com", True),
        ("fd20:ce::254", "fd20:ce::254", False),
        ("fd00:ec2::23", "fd00:ec2::23", False),
        ("168.63.129.16", "168.63.129.16", False),
        ("169.254.0.23", "169.254.0.23", False),
        ("100.100.100.200", "100.100.100.200", False),
        ("0.0.0.0", "0.0.0.0", False),
        ("224.0.0.1", "all", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_no_name_leads_to_this_machine_and_nothing_to_the_metadata_service(
    address: str, host: str, allowed_there: bool
) -> None:
    assert (forbidden_address(address, host) == "") is allowed_there


@given(st.text(max_size=80))
def test_no_text_raises(text: str) -> None:
    found = parse(text)
    split(text, 1)
    forbidden_address(text, text)

    assert found is None or parse(str(found)) == found
    assert canonical(canonical(text)) == canonical(text) or not text.isascii()


def test_an_address_with_a_zone_is_no_destination() -> None:
    assert parse("[fe80::1%eth0]:443") is None
    assert parse("::8%x]:1") is None
