"""Prints what runs cost beyond their tool: 50 projects of one push against 50 bare runs of the tool, two at a time.

``headgate serve`` with ``limits: {runs: 2}``: real queue, worker, supervisor, and for each run a process and an
isolated checkout; timed from the push's webhook to the check that says all are planned. The bare tool runs on the
same trees, two at a time, after each push. The first push of a tool includes its ``init`` on both sides.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import machine
from served import LIVE, Watch, serving
from subjects import Subject

from bot.forge.happening import Happening, Topic

RUNS, AT_ONCE, PUSHES = 50, 2, 3
REST = 2.0


def all_planned(happening: Happening) -> bool:
    """Whether this is the check that says that every plan was made."""
    if happening.topic is not Topic.STATUS or happening.subject.context != "headgate/plan":
        return False
    if happening.subject.state not in ("success", "pending"):
        raise SystemExit(f"headgate/plan: {happening.subject.state}: {happening.subject.description}")
    return bool(happening.subject.state == "success")


def measure(folder: Path, subject: Subject) -> list[tuple[float, float]]:
    """(seconds of ours, of the bare tool) for each push; the first one initialises."""
    live, rows = folder / LIVE, []
    start_files = {".headgate.yaml": subject.config, **subject.files(live, 1)}
    with serving(folder, start_files, runs=AT_ONCE) as (forge, repo):
        watch = Watch(forge)
        for turn in range(PUSHES + 1):
            watch.expect(all_planned)
            repo.commit("topic", files=subject.files(live, turn + 2), author="dee")
            if turn == 0:
                repo.open_pull("All of them", head="topic", author="dee")
            ours = watch.waited()
            time.sleep(REST)
            subject.write(folder / "bare", live, turn + 2)
            start = time.perf_counter()
            subject.bare(folder / "bare", first=turn == 0, at_once=AT_ONCE)
            rows.append((ours, time.perf_counter() - start))
    return rows


def subjects() -> dict[str, Subject]:
    """A tool that takes no time, one that takes as long as a fast real one, a real one where it is found."""
    found = {
        "no time (cat)": Subject("command", ("cat", "plan.json"), RUNS),
        "half a second": Subject("command", ("sh", "-c", "sleep 0.5; cat plan.json"), RUNS),
    }
    return found | ({"Terraform": Subject("terraform", (), RUNS)} if shutil.which("terraform") else {})


def main() -> int:
    """Two lines per tool: the first push and the median of later ones."""
    machine.say()
    print(f"{f'{RUNS} plans, {AT_ONCE} at a time':<32}{'ours s':>9}{'bare s':>9}{'ratio':>8}{'more for each':>15}")
    for name, subject in subjects().items():
        with tempfile.TemporaryDirectory(prefix="headgate-runs-") as folder:
            first, *later = measure(Path(folder), subject)
        median = tuple(statistics.median(each) for each in zip(*later, strict=True))
        for words, (ours, bare) in {f"{name}, first push": first, f"{name}, later pushes": median}.items():
            # Two at a time: each run's own share of the wait counts for two.
            more = 1000 * AT_ONCE * (ours - bare) / RUNS
            print(f"{words:<32}{ours:>9.2f}{bare:>9.2f}{ours / bare:>8.2f}{more:>12.0f} ms", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
