"""Prints what an idle ``headgate serve`` weighs: PSS of all its processes. Wanted: under 400 MB."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import psutil
from served import free_port, headgate_serve

WANTED = 400.0


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


def role(process: psutil.Process) -> str:
    words = process.cmdline()
    if "bot.cli" in words:
        return "headgate " + words[words.index("bot.cli") + 1]
    return Path(words[0]).name[:30] if words else process.name()


def main() -> int:
    """One line per process; exit code 1 when the sum is over the limit."""
    machine.say()
    with tempfile.TemporaryDirectory(prefix="headgate-memory-") as folder:
        port = free_port()
        path = settings(Path(folder), port)
        with headgate_serve(path, port) as parent:
            rows = [(role(each), pss(each.pid)) for each in (parent, *parent.children(recursive=True))]
    total, bare = sum(weight for _, weight in rows), bare_python()
    print(f"{'process':<34}{'PSS MB':>9}{'of bare python':>16}")
    for name, weight in rows:
        print(f"{name:<34}{weight:>9.1f}{weight / bare:>16.1f}")
    print(f"{'all ' + str(len(rows)):<34}{total:>9.1f}{total / bare:>16.1f}   of limit {total / WANTED:.2f}")
    return 0 if total < WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
