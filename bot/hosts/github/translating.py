"""What GitHub and PyGithub say when something goes wrong, in the port's words."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from github import GithubException

from bot.core.errors import HostDenied, HostError
from bot.hosts import answers
from bot.hosts.answers import LONGEST_WAIT, reaching, retry_after, words

SECONDARY_WAIT: Final = 60.0
"""https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api: without a word of the
host's own, wait at least a minute."""


@contextmanager
def translating(verb: str) -> Iterator[None]:
    """Exceptions of the libraries below become HostBusy, HostDenied or HostUnclear."""
    try:
        with reaching(verb):
            yield
    except GithubException as error:
        raise failure(verb, "", error.status, {}, json.dumps(error.data, default=str)) from None
    except RuntimeError as error:
        # PyGithub's word for a redirection to another host or scheme: the configured address is wrong.
        raise HostDenied(f"the host's address is wrong: {str(error)[:200]}") from None


def failure(verb: str, path: str, status: int, headers: Mapping[str, str], text: str) -> HostError:
    """What the caller should do about an answer of 400 or more. ``headers`` have lower-case names."""
    return answers.failure(verb, path, status, headers, text, pause(status, headers, words(text)))


def pause(status: int, headers: Mapping[str, str], said: str) -> float | None:
    """Seconds to stay silent after a primary or secondary limit; None when it is no limit."""
    if status not in (403, 429):
        return None
    after = retry_after(headers)
    if after is not None:
        return after
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return min(max(float(reset) - time.time(), 1.0), LONGEST_WAIT)
    if status == 429 or "rate limit" in said.lower():
        return SECONDARY_WAIT
    return None
