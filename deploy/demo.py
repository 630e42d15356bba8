"""``python3 deploy/demo.py [--host gitlab] [--once]``: the demo for machines without make; sets up and plays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from environment import ROOT, ready


def main() -> None:
    """Make the environment, then become the demo."""
    python = ready("embedded", "ansible")
    os.chdir(ROOT)
    os.execv(python, [str(python), "-m", "bot.cli", "demo", *sys.argv[1:]])  # noqa: S606 - it becomes the demo


if __name__ == "__main__":
    main()
