"""Prints what isolation adds to a command, and to a real plan: each isolated one beside the same one without.

Isolated: namespaces, the seccomp filter, a control group, bounds; and, where the operator lists destinations, the
proxy. Without: the same code path with none of them. Wanted: under 30 ms for a command, under 5 % of a real plan: one
of 3,000 resources, seconds long as plans are that ask a cloud. What a plan of a second pays is printed beside it.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import machine

from bot.core.destinations import Destination
from bot.core.project import Project
from bot.core.redaction import Redactor
from bot.core.rules import SandboxRules
from bot.ports import Execution, Job
from bot.sandbox.egress import Egress
from bot.sandbox.enclosure import Enclosure, unavailable
from bot.sandbox.process import ProcessSandbox
from bot.sandbox.watchdog import Bounds
from bot.tools.terraform.tool import Terraform

WANTED_MS, WANTED_SHARE = 30.0, 1.05
COMMANDS, PLANS = 40, 9
REAL, SHORT = 3000, 800
"""Resources."""
MAIN = """\
terraform {{
  backend "local" {{
    path = "{state}"
  }}
}}
"""


def sandbox(tree: Path, live: Path, *, walls: bool, proxy: bool = False) -> ProcessSandbox:
    """As a run gets it with the default settings; or with nothing around its commands."""
    rules = SandboxRules()
    return ProcessSandbox(
        log=lambda _: None,
        redactor=Redactor(()),
        cancelled=lambda: False,
        enclosure=Enclosure("bench", tree, (live,)) if walls else None,
        bounds=Bounds(rules.processes, rules.memory, rules.disk) if walls else Bounds(kernel=False),
        egress=Egress((Destination("registry.terraform.io", 443),), lambda _: None) if proxy else None,
    )


@dataclass(frozen=True)
class Pairs:
    """Seconds of both in turns. What is compared are the two of a pair, which met the same machine."""

    ours: list[float]
    bare: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(mine / other for mine, other in zip(self.ours, self.bare, strict=True))

    @property
    def added(self) -> float:
        """Milliseconds."""
        return 1000 * statistics.median(mine - other for mine, other in zip(self.ours, self.bare, strict=True))


def pairs(times: int, ours: Callable[[], object], bare: Callable[[], object]) -> Pairs:
    """In turns, now one first and now the other, after one of each that is not counted."""
    ours(), bare()
    took = Pairs([], [])
    for turn in range(times):
        both = ((took.ours, ours), (took.bare, bare))
        for each, work in both if turn % 2 else both[::-1]:
            start = time.perf_counter()
            work()
            each.append(time.perf_counter() - start)
    return took


def command(tree: Path, words: tuple[str, ...], *, proxy: bool = False) -> Pairs:
    """One command, isolated and not."""
    execution = Execution(words, tree, {"CHECKPOINT_DISABLE": "1"}, quiet=True, network=True)

    def run(box: ProcessSandbox) -> None:
        if box.run(execution).code:
            raise SystemExit(f"{words[0]} failed")

    walled, bare = sandbox(tree, tree, walls=True, proxy=proxy), sandbox(tree, tree, walls=False)
    return pairs(COMMANDS, lambda: run(walled), lambda: run(bare))


def plan(folder: Path, resources: int) -> Pairs:
    """All commands of a plan, initialised before: validate, fmt, plan, show."""
    tree, live = folder / "tree", folder / "live"
    (tree / "web").mkdir(parents=True)
    live.mkdir()
    blocks = (f'\nresource "terraform_data" "r{each}" {{\n  input = "{each}"\n}}\n' for each in range(resources))
    (tree / "web" / "main.tf").write_text(MAIN.format(state=live / "web.tfstate") + "".join(blocks))
    tool = Terraform()

    def run(kind: str) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            cache = folder / f"cache-{kind}"
            cache.mkdir(exist_ok=True)
            box = sandbox(tree, live, walls=kind == "walls")
            project = Project("web", "web", "terraform")
            job = Job("bench", project, tree, tree / "web", Path(scratch), cache, cache, box, {},
                      b"k" * 32, lambda _: None)  # fmt: skip
            tool.validate(job)
            if len(tool.plan(job).effects.resources) != resources:
                raise SystemExit("this is not the plan that was to be measured")

    return pairs(PLANS, lambda: run("walls"), lambda: run("none"))


def main() -> int:
    """One line per command and one for the plan; exit code 1 when a goal is missed."""
    machine.say()
    if problem := unavailable():
        raise SystemExit(f"nothing to measure: {problem}")
    with tempfile.TemporaryDirectory(prefix="headgate-sandbox-") as name:
        folder = Path(name)
        (folder / "tree").mkdir()
        rows = {"true": command(folder / "tree", ("true",)),
                "true, with the proxy": command(folder / "tree", ("true",), proxy=True),
                "python3 -c pass": command(folder / "tree", ("python3", "-c", "pass"))}  # fmt: skip
        if shutil.which("terraform"):
            rows["terraform version"] = command(folder / "tree", ("terraform", "version"))
            for resources in (SHORT, REAL):
                rows[f"a Terraform plan, {resources:,} resources"] = plan(folder / str(resources), resources)
    print(f"{'':<36}{'isolated ms':>12}{'not ms':>9}{'ratio':>8}{'added ms':>10}{'wanted':>12}")
    missed = False
    for words, took in rows.items():
        whole, judged = "plan" in words, f"{SHORT:,}" not in words
        missed = missed or (judged and (took.ratio >= WANTED_SHARE if whole else took.added >= WANTED_MS))
        goal = (f"ratio {WANTED_SHARE}" if judged else "") if whole else f"{WANTED_MS:.0f} ms"
        ours, bare = (1000 * statistics.median(each) for each in (took.ours, took.bare))
        figures = f"{ours:>12.1f}{bare:>9.1f}{took.ratio:>8.2f}{took.added:>10.1f}"
        print(f"{words:<36}{figures}{goal:>12}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
