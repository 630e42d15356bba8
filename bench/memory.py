"""Prints what an idle ``headgate serve`` weighs: PSS of all its processes. Wanted: under 400 MB."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
WANTED = 400.0
SETTLE = 5.0
"""Seconds after the first answer: sweeps have run by then, and what is loaded late is loaded."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pss(pid: int) -> float:
    """MB of a process, with its share of what it has in common with others."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    return 0.0


def bare_python() -> float:
    """MB of an interpreter that does nothing."""
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = pss(process.pid)
        process.kill()
    return found


def settings(folder: Path, port: int) -> Path:
    (folder / "secret").write_text("x" * 32)
    path = folder / "headgate-server.yaml"
    path.write_text(
        f"version: 1\ndata: {folder / 'data'}\n"
        f'listen: {{webhooks: "127.0.0.1:{port}", pages: "127.0.0.1:{free_port()}"}}\n'
        "hosts:\n  github: {token_file: secret, webhook_secret_file: secret}\n"
        "repositories:\n  - {match: github/acme/infra}\n"
    )
    return path


def wait_until_up(port: int, limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit("headgate serve did not answer")


def role(process: psutil.Process) -> str:
    words = process.cmdline()
    if "bot.cli" in words:
        return "headgate " + words[words.index("bot.cli") + 1]
    return Path(words[0]).name[:30] if words else process.name()


def main() -> int:
    """One line per process; exit code 1 when the sum is over the limit."""
    with tempfile.TemporaryDirectory(prefix="headgate-memory-") as folder:
        port = free_port()
        path = settings(Path(folder), port)
        serve = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "serve", "--config", str(path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_up(port)
            time.sleep(SETTLE)
            parent = psutil.Process(serve.pid)
            rows = [(role(each), pss(each.pid)) for each in (parent, *parent.children(recursive=True))]
        finally:
            serve.send_signal(signal.SIGTERM)
            serve.wait(120)
    total, bare = sum(weight for _, weight in rows), bare_python()
    print(f"{'process':<34}{'PSS MB':>9}{'of bare python':>16}")
    for name, weight in rows:
        print(f"{name:<34}{weight:>9.1f}{weight / bare:>16.1f}")
    print(f"{'all ' + str(len(rows)):<34}{total:>9.1f}{total / bare:>16.1f}   of limit {total / WANTED:.2f}")
    return 0 if total < WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
