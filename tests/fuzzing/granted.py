"""What programs of the operator hand out: credentials, others' id tokens, files for external accounts."""

from __future__ import annotations

import base64
import json

from fuzzing.subject import Subject, demand

from bot.credentials.identity import end_of, external_account
from bot.credentials.process import LONGEST, Unusable, handed_out


def credentials(data: bytes) -> None:
    """Any output is variables that a process can be given, or is refused in words that repeat nothing of it."""
    try:
        found = handed_out(data)
    except Unusable as error:
        demand("SECRET" not in str(error) and str(error).isprintable(), "a refusal repeats nothing")
        return
    for name, value in found.variables.items():
        demand(name.isascii() and "=" not in name and "\0" not in value, "a variable that can be set")
        f"{name}={value}".encode()
    demand(found.until is None or found.until.tzinfo is not None, "its end can be compared")


def token(data: bytes) -> None:
    """Any token ends at a time, or nobody can tell."""
    text = data.decode("utf-8", "replace")
    payload = base64.urlsafe_b64encode(data).decode().rstrip("=")
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for each in (text, f"{head}.{payload}."):
        end = end_of(each)
        demand(end is None or end.tzinfo is not None, "its end can be compared")
    try:
        written = external_account(text, "/run/token")
    except Unusable as error:
        demand("SECRET" not in str(error), "a refusal repeats nothing")
        return
    demand(json.loads(written)["credential_source"]["file"] == "/run/token", "it points at the run's own token")


PRINTED = (
    b'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "SECRET", "Expiration": "2099-01-01T00:00:00Z"}',
    b'{"TOKEN": "SECRET", "OTHER_1": "x", "Expiration": null}',
)
TOKENS = (
    b'{"exp": 4000000000, "iat": 1, "aud": "x", "sub": "repo:a"}',
    b'{"type": "external_account", "audience": "SECRET", "credential_source": {"url": "http://169.254.169.254"}}',
)

SUBJECTS = (
    Subject("credentials", credentials, PRINTED, (b'"Version"', b"\\ud800", b"\\u0000"), LONGEST, "json"),
    Subject("id-token", token, TOKENS, (b'"exp":', b"1e999", b"-1", b"external_account"), 100_000, "json"),
)
