"""The bare mirror: fetched once, read without a work tree, and bounded on disk."""

from __future__ import annotations

import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import HostBusy, HostGone, TooLarge
from bot.mirror.command import Git
from bot.mirror.git import GitMirror, sweep


def test_what_is_here_is_not_fetched_again(origin: Any, mirror: Any, calls: Any) -> None:
    base = origin.commit({"f": "1"}, branch="main")
    head = origin.commit({"f": "2"}, base, branch="topic")
    origin.git("update-ref", "refs/pull/7/head", head)
    mirror.fetch((base, head), branch="main", change=7)
    assert len(calls.of("fetch")) == 1

    mirror.fetch((base, head, base), change=7)
    mirror.merge(base, head)
    mirror.source(head)
    assert len(calls.of("fetch")) == 1


def test_a_commit_that_no_branch_has_any_more_is_fetched_by_its_id(origin: Any, mirror: Any) -> None:
    base = origin.commit({"f": "1"}, branch="main")
    origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    gone = origin.commit({"f": "2"}, base)
    mirror.fetch((gone,), branch="main", change=8)

    assert mirror.has(gone) and mirror.branch_head("main") == base


def test_what_the_remote_does_not_have_is_gone_and_a_remote_that_is_away_is_busy(
    origin: Any, mirror: Any, tmp_path: Path
) -> None:
    origin.commit({"f": "1"}, branch="main")
    with pytest.raises(HostGone):
        mirror.fetch(("b" * 40,))
    with pytest.raises(HostGone):
        mirror.branch_head("nosuch")
    away = GitMirror(tmp_path / "away.git", "http://127.0.0.1:1/acme/infra.git", lambda: None)
    with pytest.raises(HostBusy):
        away.branch_head("main")


def test_many_at_once_make_one_mirror(origin: Any, tmp_path: Path) -> None:
    sha = origin.commit({"f": "1"}, branch="main")
    place = tmp_path / "m" / "one.git"
    mirrors = [GitMirror(place, str(origin.place), lambda: None) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda each: each.branch_head("main"), mirrors)) == {sha}

    assert sorted(path.name for path in place.parent.iterdir()) == ["one.git", "one.lock"]


def test_a_merge_is_the_same_everywhere_and_conflicts_are_named(origin: Any, mirror: Any, tmp_path: Path) -> None:
    base = origin.commit({"f": "1", "g": "1"}, branch="base")
    ours = origin.commit({"f": "2", "g": "1"}, base, branch="ours")
    theirs = origin.commit({"f": "1", "g": "2"}, base, branch="theirs")
    clash = origin.commit({"f": "3", "g": "1"}, base, branch="clash")
    other = GitMirror(tmp_path / "other.git", str(origin.place), lambda: None)
    for each in (mirror, other):
        each.fetch((ours, theirs, clash))
    merged = mirror.merge(ours, theirs)

    assert merged == other.merge(ours, theirs)
    assert mirror.parents(merged.commit) == (ours, theirs)
    assert (mirror.source(merged.commit).read("f"), mirror.source(merged.commit).read("g")) == (b"2", b"2")
    assert mirror.merge(ours, clash).conflicts == ("f",)
    assert mirror.merge(ours, clash).commit == ""


def test_both_sides_of_a_rename_have_changed(origin: Any, mirror: Any) -> None:
    base = origin.commit({"old/name.tf": "text\n" * 9, "same": "s"}, branch="main")
    head = origin.commit({"new/name.tf": "text\n" * 9, "same": "s"}, base, branch="topic")
    mirror.fetch((base, head))

    assert mirror.changed_paths(base, head) == ("new/name.tf", "old/name.tf")


def test_a_digest_follows_content_modes_and_absence_and_nothing_else(origin: Any, mirror: Any) -> None:
    first = origin.commit({"a/f": "1", "b": "1"}, branch="1")
    other = origin.commit({"a/f": "1", "b": "2"}, first, branch="2")
    moved = origin.commit({"a/f": ("100755", "1"), "b": "1"}, first, branch="3")
    mirror.fetch((first, other, moved))

    assert mirror.digest(first, ("a", "c")) == mirror.digest(other, ("a/", "c", "a"))
    assert mirror.digest(first, ("a",)) != mirror.digest(moved, ("a",))
    assert mirror.digest(first, ("a", "b")) != mirror.digest(other, ("a", "b"))
    assert mirror.digest(first, (".",)) != mirror.digest(other, (".",))


def test_the_first_parent_line_is_the_branchs_own_history(origin: Any, mirror: Any) -> None:
    one = origin.commit({"f": "1"})
    side = origin.commit({"f": "1", "g": "1"}, one)
    two = origin.commit({"f": "2"}, one)
    merge = origin.commit({"f": "2", "g": "1"}, two, side, branch="main")
    mirror.fetch((merge,), branch="main")

    assert mirror.first_parents(merge) == (merge, two, one)
    assert mirror.first_parents(merge, since=one) == (merge, two)
    assert (mirror.order(merge), mirror.order(side)) == (3, 2)
    assert mirror.is_ancestor(side, merge) and not mirror.is_ancestor(merge, side)
    assert mirror.merge_base(side, two) == one


def test_unrelated_histories_have_no_common_ancestor(origin: Any, mirror: Any) -> None:
    one, two = origin.commit({"f": "1"}, branch="1"), origin.commit({"f": "2"}, branch="2")
    mirror.fetch((one, two))

    assert mirror.merge_base(one, two) == ""


def test_a_source_lists_everything_and_reads_only_regular_files(origin: Any, mirror: Any) -> None:
    sha = origin.commit(
        {"f": "x", "l": ("120000", "f"), "m": ("160000", "a" * 40), "big": "y" * (2**20 + 1)}, branch="m"
    )
    mirror.fetch((sha,))
    source = mirror.source(sha)

    assert source.paths() == ("big", "f", "l", "m")
    assert [source.read(path) for path in ("f", "l", "m", "big", "none", "f\nf")] == [
        b"x",
        None,
        None,
        None,
        None,
        None,
    ]
    assert source.read("f") == b"x"  # nothing of what was too large is left in the pipe


def test_a_reader_that_died_is_started_again(origin: Any, mirror: Any) -> None:
    sha = origin.commit({"f": "x"}, branch="m")
    mirror.fetch((sha,))
    assert mirror.source(sha).read("f") == b"x"
    mirror._objects._process.kill()
    mirror._objects._process.wait()

    assert mirror.source(sha).read("f") == b"x"


# ---------------------------------------------------------------------------------------------- disk


def filled(folder: Path, name: str, used: float, size: int = 1000) -> Path:
    """A mirror of that size that was used so many seconds ago."""
    path = folder / "github" / f"{name}.git"
    path.mkdir(parents=True)
    (path / "pack").write_bytes(b"x" * size)
    os.utime(path, (time.time() - used,) * 2)
    return path


def test_the_least_recently_used_mirrors_go_until_the_others_fit(tmp_path: Path) -> None:
    old, older, new = (filled(tmp_path, name, used) for name, used in (("a", 8000), ("b", 9000), ("c", 7000)))

    assert sweep(tmp_path, 3000) == 0
    assert sweep(tmp_path, 2500) == 1000
    assert (old.exists(), older.exists(), new.exists()) == (True, False, True)
    assert sweep(tmp_path, 0) == 2000
    assert [path for path in (tmp_path / "github").iterdir() if path.suffix != ".lock"] == []


def test_a_mirror_in_use_is_never_swept_away(tmp_path: Path) -> None:
    recent, fetching = filled(tmp_path, "recent", 60), filled(tmp_path, "fetching", 9000)
    with fetching.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert sweep(tmp_path, 0) == 0

    assert recent.exists() and fetching.exists()
    assert sweep(tmp_path, 0) == 1000
    assert not fetching.exists()


def test_asking_for_a_mirror_is_using_it_and_one_that_went_comes_back(
    origin: Any, mirror: Any, tmp_path: Path
) -> None:
    sha = origin.commit({"f": "x"}, branch="main")
    mirror.fetch((sha,), branch="main")
    assert mirror.source(sha).read("f") == b"x"
    place, folder = tmp_path / "mirrors" / "github" / "acme__infra.git", tmp_path / "mirrors"
    os.utime(place, (0, 0))
    mirror.fetch((sha,))
    assert sweep(folder, 0) == 0

    os.utime(place, (0, 0))
    assert sweep(folder, 0) > 0
    later = origin.commit({"f": "y"}, sha, branch="main")
    mirror.fetch((later,), branch="main")
    assert mirror.source(later).read("f") == b"y"


def test_a_small_tree_that_lists_a_million_files_is_cut_off(origin: Any, mirror: Any, tmp_path: Path) -> None:
    base = origin.commit({"f": "1"}, branch="main")
    bomb = origin.bomb(6, "topic")
    mirror.fetch((base, bomb), branch="topic")
    for read in (
        lambda: mirror.source(bomb),
        lambda: mirror.checkout(bomb, (".",), tmp_path / "tree"),
    ):
        with pytest.raises(TooLarge, match="more than 64 MiB"):
            read()
    assert not (tmp_path / "tree").exists()


def test_trees_in_memory_are_bounded_by_their_files_together(
    origin: Any, mirror: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.mirror.git.FILES_KEPT", 3)
    trees = [origin.commit({"a": str(number), "b": "1"}, branch="main") for number in range(3)]
    mirror.fetch(tuple(trees), branch="main")
    first = mirror.source(trees[0])
    assert mirror.source(trees[0]) is first
    mirror.source(trees[1])
    assert mirror.source(trees[0]) is not first


def test_a_listing_that_takes_too_long_is_put_off_and_one_that_fails_is_told(
    origin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = origin.commit({"f": "1"}, branch="main")
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    with pytest.raises(HostGone):
        Git(origin.place, lambda: None, local=True).listing("ls-tree", "0" * 40)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(HostBusy, match="took longer"):
        Git(origin.place, lambda: None, local=True, timeout=0.2).listing("ls-tree", "-r", sha)


def test_what_differs_is_told_with_what_happened_and_how_many_lines(origin: Any, mirror: Any) -> None:
    base = origin.commit({"kept": "1\n2\n", "gone": "x\n", "binary": "a\0b"}, branch="main")
    head = origin.commit({"kept": "1\n3\n4\n", "new": "a\n", "binary": "a\0c"}, base, branch="topic")
    origin.git("update-ref", "refs/pull/7/head", head)
    mirror.fetch((base, head), branch="main", change=7)
    found = {each.path: (each.status.value, each.added, each.deleted) for each in mirror.changed_files(base, head)}
    assert found["kept"] == ("changed", 2, 1) and found["new"] == ("added", 1, 0)
    assert found["binary"] == ("changed", 0, 0) and found["gone"] == ("deleted", 0, 1) and len(found) == 4


def test_commits_are_told_with_parents_and_message_and_what_is_none_is_left_out(origin: Any, mirror: Any) -> None:
    base = origin.commit({"f": "1"}, branch="main")
    head = origin.commit({"f": "2"}, base, branch="topic")
    origin.git("update-ref", "refs/pull/7/head", head)
    mirror.fetch((base, head), branch="main", change=7)
    found = mirror.commits([base, head, head, "f" * 40, mirror.tree(head)])
    assert set(found) == {base, head} and found[head].parents == (base,) and found[base].message
