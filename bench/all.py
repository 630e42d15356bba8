"""Runs every benchmark beside this file, one after another, each in a process of its own, and prints their tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Exit code 1 when any goal is missed; which ones is said last."""
    missed = []
    for path in sorted(HERE.glob("*.py")):
        if path.name == Path(__file__).name:
            continue
        print(f"\n== {path.stem}\n", flush=True)
        if subprocess.run([sys.executable, str(path)], check=False).returncode:
            missed.append(path.stem)
    print(f"\nmissed: {', '.join(missed)}" if missed else "\nall goals are met")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
