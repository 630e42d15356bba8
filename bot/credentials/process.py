"""A program of the operator hands out credentials: run by the worker itself, beside no code of any change.

No shell, nothing inherited but a place to live, bounded in time and output. What it prints is a secret as a whole: no
message repeats any of it, and what it writes to stderr goes nowhere.
https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sourcing-external.html
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bot.core.config.secrets import VARIABLE

LONGEST: Final = 64 * 1024
"""Bytes of output. Credentials are a few thousand."""
MOST: Final = 50
"""Variables that one program may hand out."""
EXPIRATION: Final = "Expiration"
AWS: Final[Mapping[str, str]] = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID",
    "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "SessionToken": "AWS_SESSION_TOKEN",
}
"""What AWS's form says, and the variables by which AWS's tools are told."""


class Unusable(Exception):
    """Why nothing came of it, in words that repeat nothing of what was said."""


@dataclass(frozen=True, slots=True)
class HandedOut:
    """Variables, and when they stop working."""

    variables: Mapping[str, str]
    until: datetime | None = None


def output_of(command: Sequence[str], env: Mapping[str, str], cwd: Path, path: str, timeout: float) -> bytes:
    """What the program prints. Raises Unusable when it cannot be started, fails, says too much or takes too long."""
    try:
        process = subprocess.Popen(
            list(command),
            env={**_surroundings(path), **env},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    except OSError as error:
        raise Unusable(f"the program cannot be started ({error.strerror})") from None
    deadline = time.monotonic() + timeout
    with process:
        try:
            said = _read(process, deadline)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise Unusable(f"the program did not end within {timeout:.0f} s") from None
        finally:
            # Itself when it is not done, and whatever it left behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if code:
        raise Unusable(f"the program ended with code {code}")
    return said


def _surroundings(path: str) -> dict[str, str]:
    """What programs need to find their own settings; not one variable of the worker."""
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = "/"
    return {"PATH": path, "HOME": home, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """All of its output. Raises TimeoutError, and Unusable when it is too much."""
    assert process.stdout is not None
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN | select.POLLHUP)
    said = b""
    while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            return said
        said += piece
        if len(said) > LONGEST:
            raise Unusable(f"the program printed more than {LONGEST // 1024} KiB")
    raise TimeoutError


def handed_out(said: bytes) -> HandedOut:
    """The credentials in what a program printed. Raises Unusable."""
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        raise Unusable("the program did not print JSON") from None
    if not isinstance(value, dict):
        raise Unusable("the program printed no JSON object")
    until = _instant(value.pop(EXPIRATION, None))
    variables = _of_aws(value) if "Version" in value else value
    if not variables:
        raise Unusable("the program handed out nothing")
    if len(variables) > MOST:
        raise Unusable(f"the program handed out more than {MOST} variables")
    return HandedOut({_name(name): _value(text) for name, text in variables.items()}, until)


def _name(name: str) -> str:
    if not VARIABLE.match(name):
        raise Unusable("the program named a variable with other signs than letters, digits and `_`")
    return name


def _value(value: object) -> str:
    if (
        not isinstance(value, str)
        or not value
        or "\0" in value
        or any("\ud800" <= each <= "\udfff" for each in value)
    ):
        raise Unusable("the program gave a variable a value that is no text")
    return value


def _of_aws(value: Mapping[str, object]) -> dict[str, object]:
    if value["Version"] != 1:
        raise Unusable("the program printed another `Version` than 1")
    for key in ("AccessKeyId", "SecretAccessKey"):
        if key not in value:
            raise Unusable(f"the program printed no `{key}`")
    return {name: value[key] for key, name in AWS.items() if key in value}


def _instant(value: object) -> datetime | None:
    """ISO 8601; without a zone it is UTC. Raises Unusable for anything else, and for a time that is over."""
    if value is None:
        return None
    try:
        until = datetime.fromisoformat(str(value))
        return until.astimezone(UTC) if until.tzinfo else until.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Unusable(f"the program printed an `{EXPIRATION}` that is no time in ISO 8601") from None
