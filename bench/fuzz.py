"""Prints what a million hostile inputs did to everything that reads them. Wanted: no crash, no hang, bounded memory.

``python bench/fuzz.py [--inputs N] [--seed N] [SUBJECT…]``; ``--replay FILE`` gives a kept input again.
Guided by coverage where atheris is installed (``pip install '.[fuzz]'``), else the same mutations without guidance.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import machine
from fuzzing import subject as judging
from fuzzing.mutation import Mutator
from fuzzing.subject import Outcome, Subject

INPUTS = 1_100_000
SMALL = 8192
"""Bytes of an input that is led by coverage; inputs near what production admits are made apart."""
STRETCHED = 100
STRETCHING = 10.0
"""At most so many of those, and processor seconds for them, per subject."""
MEMORY = 4096
"""Megabytes a subject's process may have."""
STUCK = 120
"""Seconds after which an input is ended with its process."""
GUIDED = importlib.util.find_spec("atheris") is not None


@dataclass
class Tally:
    """What came of one subject's inputs, and the broken ones that are kept: the smallest of each kind."""

    folder: Path
    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_size: int = 0
    grown: float = 0.0
    broken: dict[str, tuple[str, int]] = field(default_factory=dict)

    def add(self, subject: Subject, data: bytes, outcome: Outcome) -> None:
        """Count one input."""
        self.inputs += 1
        self.grown = max(self.grown, outcome.grown)
        if outcome.seconds > self.slowest:
            self.slowest, self.slowest_size = outcome.seconds, len(data)
        known = self.broken.get(outcome.signature) if outcome.why else None
        if outcome.why and (known is None or len(data) < known[1]):
            self.broken[outcome.signature] = (f"{outcome.why} ({outcome.place})", len(data))
            (self.folder / f"{subject.name}-{outcome.signature}").write_bytes(data)

    def keep(self) -> None:
        """Write it down for the parent."""
        words = {**self.__dict__, "folder": "", "peak": judging.peak()}
        (self.folder / "tally.json").write_text(json.dumps(words))


# ------------------------------------------------------------------------------------- one subject


def one(name: str, inputs: int, seed: int, folder: Path) -> None:
    """A child: all inputs of one subject. Only here is the code instrumented, before it is imported."""
    judging.bounded_memory(MEMORY)
    if GUIDED:
        import atheris

        with atheris.instrument_imports(include=["bot"], enable_loader_override=False):
            from fuzzing.subjects import SUBJECTS
    else:
        from fuzzing.subjects import SUBJECTS
    subject, tally = judging.named(SUBJECTS, name), Tally(folder)
    begun = time.monotonic()

    def give(data: bytes) -> None:
        tally.add(subject, data, judging.tried(subject, data))
        if tally.inputs % 1000 == 0 or tally.inputs == inputs:
            tally.seconds = time.monotonic() - begun
            tally.keep()

    for data in _large(subject, seed, inputs):
        give(data)
    if GUIDED:
        _guided(subject, seed, inputs - tally.inputs, folder, give)
    else:
        for data in Mutator(subject).inputs(seed, inputs - tally.inputs):
            give(data)


def _large(subject: Subject, seed: int, inputs: int) -> Iterator[bytes]:
    ends = time.process_time() + STRETCHING
    for data in Mutator(subject).stretched(seed, min(STRETCHED, inputs // 4)):
        if time.process_time() > ends:
            return
        yield data


def _guided(subject: Subject, seed: int, inputs: int, folder: Path, give: Callable[[bytes], None]) -> None:
    """libFuzzer, with our own mutations beside its own. It ends the process when all inputs are given."""
    import atheris

    mutator, corpus = Mutator(subject), folder / "corpus"
    corpus.mkdir()
    for number, sample in enumerate(subject.samples):
        (corpus / str(number)).write_bytes(sample)

    def mutated(data: bytes, size: int, given: int) -> bytes:
        chance = random.Random(given)
        return bytes(atheris.Mutate(data, size)) if chance.random() < 0.4 else mutator.altered(data, chance, size)

    limits = [f"-max_len={SMALL}", f"-timeout={STUCK}", f"-rss_limit_mb={MEMORY}"]
    words = [*limits, f"-atheris_runs={inputs}", f"-seed={seed}", f"-artifact_prefix={folder}/stuck-", str(corpus)]
    atheris.Setup([subject.name, *words], give, custom_mutator=mutated)
    atheris.Fuzz()


# ------------------------------------------------------------------------------------------- all


@dataclass(frozen=True)
class Row:
    """One subject's line of the table."""

    name: str
    tally: dict[str, Any]
    edges: str
    ended: str
    """Why its process did not come to its end; empty when it did."""

    @property
    def crashes(self) -> int:
        return len(self.tally["broken"]) + bool(self.ended)


def fuzzed(name: str, inputs: int, seed: int, kept: Path) -> Row:
    """One subject in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        words = ["--one", name, "--inputs", str(inputs), "--seed", str(seed), "--keep", place]
        with (folder / "said").open("wb") as said:
            done = subprocess.run([sys.executable, __file__, *words], stdout=said, stderr=said, check=False)
        text = (folder / "said").read_text("utf-8", "replace")
        edges = re.findall(r"cov: (\d+)", text)
        blank = {**Tally(folder).__dict__, "peak": 0.0}
        place_of_tally = folder / "tally.json"
        tally = json.loads(place_of_tally.read_text()) if place_of_tally.exists() else blank
        whole = done.returncode == 0 and tally["inputs"] >= inputs
        for path in [*folder.glob(f"{name}-*"), *folder.glob("stuck-*")]:
            kept.mkdir(parents=True, exist_ok=True)
            called = path.name if path.name.startswith(name) else f"{name}-{path.name}"
            (kept / called).write_bytes(path.read_bytes())
        why = "" if whole else f"ended with {done.returncode} after {tally['inputs']:,} inputs: {text[-2000:]}"
        return Row(name, tally, edges[-1] if edges else "", why)


HEAD = ("inputs", "a second", "edges", "slowest", "of bytes", "most MB more", "peak MB", "broken")


def line(row: Row) -> str:
    """One subject's line of the table."""
    told = row.tally
    pace = told["inputs"] / max(told["seconds"], 1e-9)
    cells = (
        f"{told['inputs']:,}",
        f"{pace:,.0f}",
        row.edges or "-",
        f"{told['slowest']:.2f} s",
        f"{told['slowest_size']:,}",
        f"{told['grown']:.0f}",
        f"{told['peak']:.0f}",
        str(row.crashes),
    )
    return f"{row.name:<18}" + "".join(f"{each:>13}" for each in cells)


def table(rows: Iterable[Row]) -> int:
    """Print one line per subject as it is done, then what broke; the number of kinds of crashes."""
    print(f"{'subject':<18}" + "".join(f"{each:>13}" for each in HEAD), flush=True)
    done = []
    for row in rows:
        print(line(row), flush=True)
        done.append(row)
    count = sum(row.crashes for row in done)
    print(f"{'all':<18}{sum(row.tally['inputs'] for row in done):>13,}{'':>78}{count:>13}")
    for row in done:
        for signature, (why, size) in row.tally["broken"].items():
            print(f"\n{row.name}-{signature} ({size:,} bytes): {why}")
        if row.ended:
            print(f"\n{row.name} {row.ended}")
    return count


def replay(path: Path) -> int:
    """Give a kept input to its subject again; what it raises is shown whole."""
    from fuzzing.subjects import SUBJECTS

    name = next((each.name for each in SUBJECTS if path.name.startswith(f"{each.name}-")), path.name)
    subject, data = judging.named(SUBJECTS, name), path.read_bytes()
    print(f"{name}, {len(data):,} bytes: {data[:2000]!r}")
    judging.bounded_memory(MEMORY)
    outcome = judging.tried(subject, data)
    print(f"{outcome.seconds:.2f} s, {outcome.grown:.0f} MB more; {outcome.why or 'all is well'}")
    if outcome.why:
        subject.check(data)
    return 1 if outcome.why else 0


def main() -> int:
    """One line per subject; exit code 1 when any input broke a rule."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("subjects", nargs="*")
    words.add_argument("--inputs", type=int, default=INPUTS)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1)))
    words.add_argument("--keep", type=Path, default=Path("fuzz-kept"), help="where inputs that broke a rule are kept")
    words.add_argument("--replay", type=Path)
    words.add_argument("--one", help=argparse.SUPPRESS)
    given = words.parse_args()
    if given.one:
        one(given.one, given.inputs, given.seed, given.keep)
        return 0
    if given.replay:
        return replay(given.replay)
    from fuzzing.subjects import SUBJECTS

    machine.say()
    print(f"{'guided by coverage (atheris)' if GUIDED else 'not guided: atheris is not installed'}\n", flush=True)
    chosen = [judging.named(SUBJECTS, name) for name in given.subjects] or list(SUBJECTS)
    weights = sum(each.weight for each in chosen)
    with ThreadPoolExecutor(given.jobs) as pool:
        share = [(each.name, max(100, int(given.inputs * each.weight / weights) + 1)) for each in chosen]
        return 1 if table(pool.map(lambda each: fuzzed(each[0], each[1], given.seed, given.keep), share)) else 0


if __name__ == "__main__":
    raise SystemExit(main())
