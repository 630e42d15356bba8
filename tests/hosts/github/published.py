"""What GitHub publishes for npm: example payloads, and descriptions to judge exchanges by. Fetched once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request
from forge.judge import Exchange, Judge

CACHE = Path.home() / ".cache" / "headgate-tests" / "npm"
PREFIX = "/api/v3"


def octokit(package: str, path: str, env: str) -> Path:
    """A file of a package. Skips the test when it cannot be had."""
    if os.environ.get(env):
        return Path(os.environ[env])
    found = CACHE / "node_modules" / "@octokit" / package / path
    if not found.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip(f"npm is not installed and {env} is not set: @octokit/{package} cannot be had")
        CACHE.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
        packages = ["@octokit/openapi", "@octokit/openapi-webhooks", "@octokit/webhooks-examples@7.6.1"]
        done = subprocess.run([*words, *packages], cwd=CACHE, capture_output=True, timeout=100, check=False)
        if done.returncode != 0 or not found.exists():
            pytest.skip(f"npm could not install @octokit/{package}")
    return found


def example_payloads() -> list[tuple[str, dict[str, Any]]]:
    """Every example payload: (event, payload)."""
    path = octokit("webhooks-examples", "api.github.com/index.json", "HEADGATE_WEBHOOK_EXAMPLES")
    return [(each["name"], payload) for each in json.loads(path.read_text()) for payload in each["examples"]]


class Court:
    """Judges what is said to and by a local host."""

    def __init__(self, of: str = "api.github.com") -> None:
        env = "HEADGATE_OPENAPI" if of == "api.github.com" else f"HEADGATE_OPENAPI_{of.upper()}"
        path = octokit("openapi", f"generated/{of}.json", env)
        self._judge = Judge.load(path)

    def watch(self, app: Flask) -> Callable[[], list[str]]:
        """Note every exchange from now on; gives a function that says what was wrong with them."""
        exchanges: list[Any] = []

        def note(answer: Response) -> Response:
            # Whom GitHub sends elsewhere, and how things are called by a repository's number, is not described.
            if (
                request.path.startswith(PREFIX)
                and answer.status_code not in (301, 307)
                and "/repositories/" not in request.path
            ):
                path, body = request.path.removeprefix(PREFIX), request.get_data(as_text=True)
                parts = (request.method, path, tuple(request.args), body, answer.status_code, answer.get_data())
                exchanges.append(Exchange(*parts))
            return answer

        app.after_request_funcs.setdefault(None, []).append(note)
        return lambda: [problem for exchange in exchanges for problem in self._judge.judge(exchange)]
