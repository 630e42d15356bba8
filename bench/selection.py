"""Prints how long selection takes: which of 10,000 projects do 3,000 changed files concern? Wanted: under 0.5 s."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import machine

from bot.core.affected import affected
from bot.core.project import Layout, Project

WANTED = 0.5
PROJECTS = 10_000
FILES = 3_000
REPEATS = 5


def layout() -> Layout:
    """Roots that include a module, depend on each other in chains of five, and half of which name further files."""
    return Layout(
        tuple(
            Project(
                name=f"service-{number}",
                path=f"live/{'prod' if number % 2 else 'dev'}/team-{number % 40}/service-{number}",
                tool="terraform",
                environment="prod" if number % 2 else "dev",
                target=f"s3:state/service-{number}",
                inputs=(f"modules/module-{number % 300}", f"modules/shared-{number % 7}"),
                depends_on=(f"service-{number - 1}",) if number % 5 else (),
                when_changed=("values/**/*.yaml", f"config/service-{number}/*.json", "!**/README.md")
                if number % 2
                else (),
            )
            for number in range(PROJECTS)
        )
    )


def changed_files() -> list[str]:
    """A third in projects, a third in modules, a third that concerns nobody."""
    third = FILES // 3
    projects = [
        f"live/{'prod' if n % 2 else 'dev'}/team-{n % 40}/service-{n}/main.tf" for n in range(0, third * 3, 3)
    ]
    modules = [f"modules/module-{n % 100}/file-{n}.tf" for n in range(third)]
    return [*projects, *modules, *(f"docs/page-{n}.md" for n in range(third))]


def main() -> int:
    """One line per case; exit code 1 when the slowest is over the limit."""
    machine.say()
    base, head, files = layout(), layout(), changed_files()
    slowest = 0.0
    print(f"{'case':<34}{'affected':>10}{'seconds':>10}{'of limit':>10}")
    for name, paths in (("3,000 files", files), ("one file", files[:1]), ("no file", [])):
        best = float("inf")
        for _ in range(REPEATS):
            start = time.perf_counter()
            found = affected(base, head, paths, lambda project: project.name)
            best = min(best, time.perf_counter() - start)
        slowest = max(slowest, best)
        print(f"{PROJECTS:,} projects, {name:<18}{len(found):>10,}{best:>10.3f}{best / WANTED:>10.2f}")
    return 0 if slowest < WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
