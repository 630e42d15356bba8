"""Runs the benchmarks beside this file, one after another, each in a process of its own, and prints their tables.

``python bench/all.py [NAME…]``; without names all but those that take longer than everything else together.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import machine

HERE = Path(__file__).resolve().parent
USUAL = (
    "webhooks",
    "face",
    "selection",
    "memory",
    "redaction",
    "latency",
    "sandbox",
    "runs",
    "plan_rules",
    "approvals",
)


def main() -> int:
    """Exit code 1 when any goal is missed; which ones is said last."""
    machine.say()
    missed = []
    for name in sys.argv[1:] or USUAL:
        print(f"\n== {name}\n", flush=True)
        with subprocess.Popen([sys.executable, str(HERE / f"{name}.py")]) as bench:
            try:
                code = bench.wait()
            finally:
                if bench.poll() is None:
                    bench.terminate()  # it stops what it started, and the ``with`` waits for that
        if code:
            missed.append(name)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall goals are met")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
