"""What a benchmark ran on, said above every table: figures of a busy or another machine are read differently."""

from __future__ import annotations

import os
import platform
import signal
import sys


def say() -> None:
    """Print it, and let SIGTERM end the program the way Ctrl-C does: what it started is stopped on the way out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    words = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
    print(f"{os.cpu_count()} cores, {words}, load average {load}\n", flush=True)
