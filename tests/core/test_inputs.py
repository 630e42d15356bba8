"""What a project reads: its directory, its tool's inputs, what its patterns name elsewhere; and what that costs."""

from __future__ import annotations

from bot.core.inputs import below, compared, reads
from bot.core.project import Project

PATHS = ("a", "a.txt", "a/b", "a/c/d", "a0", "lib/x.py", "lib/y.py", "web/main")


def test_patterns_name_files_outside_the_projects_own_directory() -> None:
    project = Project("web", "web", "command", inputs=("lib/y.py",), when_changed=("lib/*.py", "web/**", "!lib/y.py"))
    assert reads(project, PATHS) == ("web", "lib/y.py", "lib/x.py")
    assert reads(Project("web", "web", "command"), PATHS) == ("web",)
    everything = Project("all", ".", "command", when_changed=("**/d",))
    assert reads(everything, PATHS) == (".", "a/c/d")


def test_below_is_the_file_or_what_is_in_the_directory() -> None:
    assert list(below(PATHS, "a")) == ["a", "a/b", "a/c/d"]
    assert list(below(PATHS, "a/c")) == ["a/c/d"]
    assert list(below(PATHS, ".")) == list(PATHS)
    assert list(below(PATHS, "nothing")) == []


def test_a_pattern_is_compared_only_with_what_its_first_names_hold() -> None:
    assert compared(("lib/*.py",), PATHS) == 3
    assert compared(("**/x", "!**/y"), PATHS) == 2 * len(PATHS)
    assert compared((), PATHS) == 0
