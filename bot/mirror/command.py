"""Running git: nothing inherited, no hooks, no filters, no prompts; credentials never in argv, URL or message."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from bot.core.errors import HostBusy, HostDenied, HostGone, TooLarge

Credentials = Callable[[], "tuple[str, str] | None"]

SAFE: Final = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.attributesFile=/dev/null",
    "-c", "core.symlinks=true",
    "-c", "core.protectHFS=true",
    "-c", "core.protectNTFS=true",
    "-c", "core.autocrlf=false",
    "-c", "filter.lfs.smudge=",
    "-c", "filter.lfs.process=",
    "-c", "filter.lfs.required=false",
    "-c", "submodule.recurse=false",
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "safe.directory=*",
    "-c", "credential.helper=",
    "-c", "http.followRedirects=false",
)  # fmt: skip

GONE: Final = ("not found", "couldn't find remote ref", "not our ref", "unadvertised object", "does not exist")
REFUSED: Final = (
    "authentication failed",
    "could not read username",
    "returned error: 401",  # not the number alone: ports and names of repositories have it too
    "returned error: 403",
    "terminal prompts disabled",
)
MOVED: Final = tuple(f"returned error: {code}" for code in (301, 302, 307, 308))
"""Where nobody follows: credentials go to the place that was configured."""

MESSAGE = 300
MOST_LISTED = 64 * 2**20
"""Bytes of a tree's list, which is some half a million files."""


class Git:
    """git in one bare repository. Raises HostBusy, HostDenied, HostGone."""

    def __init__(self, directory: Path, credentials: Credentials, *, local: bool, timeout: float = 120.0) -> None:
        self.directory = directory
        self._credentials = credentials
        self._timeout = timeout
        self._local = ("-c", "protocol.file.allow=always") if local else ()

    def argv(self, *words: str) -> list[str]:
        """The command line; never holds a secret."""
        return ["git", *SAFE, *self._local, f"--git-dir={self.directory}", *words]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Everything git is given; nothing of our own environment but the path to find it."""
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.directory.parent),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            **(extra or {}),
        }

    def run(
        self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, codes: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[bytes]:
        """One local command; an exit code outside ``codes`` raises HostGone with git's own (bounded) words."""
        try:
            done = subprocess.run(
                self.argv(*words),
                input=stdin,
                env=self.environment(env),
                capture_output=True,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise HostBusy(f"git {words[0]} took longer than {self._timeout:.0f} s") from None
        if done.returncode not in codes:
            raise HostGone(f"git {words[0]}: {_words(done.stderr)}")
        return done

    def listing(self, *words: str) -> bytes:
        """What one local command prints, up to MOST_LISTED bytes: a few trees that name each other many times are
        small to fetch, and their list has no end. Raises TooLarge, HostBusy, HostGone."""
        with subprocess.Popen(
            self.argv(*words),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None, "it is piped"
            alarm = threading.Timer(self._timeout, process.kill)
            alarm.start()
            listed = process.stdout.read(MOST_LISTED + 1)
            if len(listed) > MOST_LISTED:
                process.kill()
            code = process.wait()
            late = not alarm.is_alive()
            alarm.cancel()
        if len(listed) > MOST_LISTED:
            raise TooLarge(f"its list of files has more than {MOST_LISTED // 2**20} MiB; no larger tree is read")
        if code and late:
            raise HostBusy(f"git {words[0]} took longer than {self._timeout:.0f} s")
        if code:
            raise HostGone(f"git {words[0]}: it failed without a word")
        return listed

    def text(self, *words: str) -> str:
        """The trimmed output of one command."""
        return self.run(*words).stdout.decode("utf-8", "surrogateescape").strip()

    def network(self, *words: str) -> bytes:
        """One command that speaks to the remote, with credentials that only this process sees."""
        try:
            with _logged_in(self._credentials()) as (env, given):
                done = subprocess.run(
                    self.argv(*words),
                    env=self.environment(env),
                    pass_fds=given,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=self._timeout,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise HostBusy(f"git {words[0]} took longer than {self._timeout:.0f} s") from None
        if done.returncode == 0:
            return done.stdout
        said = _words(done.stderr)
        low = said.lower()
        if any(word in low for word in REFUSED):
            raise HostDenied(f"git {words[0]}: the host refused our credentials")
        if any(word in low for word in MOVED):
            raise HostDenied(f"git {words[0]}: the repository is somewhere else now")
        if any(word in low for word in GONE):
            raise HostGone(f"git {words[0]}: {said}")
        raise HostBusy(f"git {words[0]}: {said}")


@contextlib.contextmanager
def _logged_in(login: tuple[str, str] | None) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
    """Variables and descriptors by which git and its own children get a login, without it standing in arguments, URL
    or variables: an included configuration in memory. Where there is no such memory, in a variable.

    https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT
    """
    if login is None:
        yield {}, ()
        return
    header = f"Authorization: Basic {base64.b64encode(':'.join(login).encode()).decode()}"
    if sys.platform != "linux":
        yield _configured("http.extraHeader", header), ()
        return
    memory = os.memfd_create("login")
    try:
        os.write(memory, f'[http]\n\textraHeader = "{header}"\n'.encode())
        yield _configured("include.path", f"/proc/self/fd/{memory}"), (memory,)
    finally:
        os.close(memory)


def _configured(key: str, value: str) -> dict[str, str]:
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": value}


def _words(stderr: bytes) -> str:
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return " ".join(lines[-3:])[:MESSAGE] or "it failed without a word"
