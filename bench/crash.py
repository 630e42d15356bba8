"""Prints what was killed, and that every day ended as if nothing had been: ten days of tests/killing, 50 kills each.

``python bench/crash.py [KILLS [KILLS_A_DAY [FIRST_SEED]]]``. A day is a seed: it is told again with ``1 KILLS SEED``.
The usual ``bench/all.py`` leaves this out: 500 kills take at least twenty minutes.
"""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import machine
from killing import day

KILLS, KILLS_A_DAY, FIRST_SEED = 500, 50, 1
KINDS = (
    "FLUSHALL",
    "redis",
    "bot.cli web",
    "bot.cli worker",
    "forkserver",
    "apply.py",
    "plan.py",
    "bwrap",
    "git",
)


def kind(victim: str) -> str:
    """What was killed, in a word or two."""
    return next((name for name in KINDS if name in victim), "other")


def told(seed: int, kills: int) -> tuple[list[str], str]:
    """What was killed in one day, and how it ended; empty when it ended well. What another day left is kept."""
    folder = tempfile.mkdtemp(prefix="headgate-crash-")
    try:
        killed = day(Path(folder), seed=seed, kills=kills)
    except AssertionError as error:
        return [], f"{str(error).partition(chr(10))[0]} (see {folder})"
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return killed, ""


def main() -> int:
    """One line per day, then what was killed; exit code 1 when a day did not end as it must."""
    machine.say()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the world's chat would tell of each message
    numbers = [int(word) for word in sys.argv[1:]]
    wanted, a_day, seed = (*numbers, *(KILLS, KILLS_A_DAY, FIRST_SEED)[len(numbers) :])
    killed: list[str] = []
    failed = False
    print(f"{'seed':>4}{'kills':>7}{'seconds':>9}{'kills/min':>11}  end", flush=True)
    while len(killed) < wanted and not failed:
        start = time.monotonic()
        found, wrong = told(seed, a_day)
        failed, took = bool(wrong), time.monotonic() - start
        rate = f"{60 * len(found) / took:>11.1f}"
        print(f"{seed:>4}{len(found):>7}{took:>9.0f}{rate}  {wrong or 'as if nothing had been'}", flush=True)
        killed += found
        seed += 1
    print(f"\n{'killed':<18}{'times':>6}{'share':>7}")
    for name, times in Counter(map(kind, killed)).most_common():
        print(f"{name:<18}{times:>6}{times / len(killed):>7.2f}")
    print(f"{'all':<18}{len(killed):>6}{len(killed) / wanted:>7.2f} of wanted")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
