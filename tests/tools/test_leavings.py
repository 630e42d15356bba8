"""What a command left is read only where it lies: nothing it points at is, and nothing hangs or goes on for ever."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.core.errors import ToolFailed
from bot.tools import leavings

SECRET = b"a secret of the host"
LIMIT = 1000


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A file of ours outside the folder."""
    (tmp_path / "host").mkdir()
    file = tmp_path / "host" / "key"
    file.write_bytes(SECRET)
    return file


def directory(place: Path, host: Path) -> None:
    place.mkdir()


def hard_link(place: Path, host: Path) -> None:
    place.hardlink_to(host)


def link(place: Path, host: Path) -> None:
    place.symlink_to(host)


def relative_link(place: Path, host: Path) -> None:
    place.symlink_to(Path("..") / "host" / "key")


def pipe(place: Path, host: Path) -> None:
    os.mkfifo(place)


def listener(place: Path, host: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(place))


def without_end(place: Path, host: Path) -> None:
    place.symlink_to("/dev/zero")


def too_large(place: Path, host: Path) -> None:
    place.write_bytes(b"x" * (LIMIT + 1))


Lay = Callable[[Path, Path], None]
TRAPS: list[Lay] = [link, relative_link, hard_link, pipe, listener, without_end, too_large, directory]


@pytest.mark.parametrize("lay", TRAPS, ids=lambda lay: lay.__name__)
def test_only_a_regular_file_with_one_name_is_read(top: Path, host: Path, lay: Lay) -> None:
    lay(top / "plan", host)
    with pytest.raises(ToolFailed, match=r"'plan' is neither read nor replaced: ") as error:
        leavings.read(top, "plan", LIMIT)
    assert SECRET.decode() not in str(error.value)


def test_a_regular_file_is_read_up_to_its_limit_and_a_missing_one_is_none(top: Path) -> None:
    (top / "d").mkdir()
    (top / "d" / "plan").write_bytes(b"x" * LIMIT)
    assert leavings.read(top, "d/plan", LIMIT) == b"x" * LIMIT
    assert leavings.read(top, "d/none", LIMIT) is None
    assert leavings.read(top, "none/plan", LIMIT) is None


@pytest.mark.parametrize("path", ["d/key", "d/../d/key", "sub/d/key"])
def test_no_directory_of_the_path_may_be_a_link(top: Path, host: Path, path: str) -> None:
    (top / "sub").mkdir()
    for place in (top / "d", top / "sub" / "d"):
        place.symlink_to(host.parent)
    with pytest.raises(ToolFailed, match="a link"):
        leavings.read(top, path, LIMIT)


@pytest.mark.parametrize("path", ["../host/key", "d/../../host/key", "..", "/../host/key"])
def test_no_path_leaves_its_directory(top: Path, host: Path, path: str) -> None:
    (top / "d").mkdir()
    with pytest.raises(ToolFailed, match="leaves its directory"):
        leavings.read(top, path, LIMIT)


def test_a_directory_that_is_swapped_while_it_is_read_gives_nothing_of_the_other(
    top: Path, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (top / "d").mkdir()
    (top / "d" / "key").write_bytes(b"ours")
    real = os.stat

    def swapped(name: object, **words: object) -> os.stat_result:
        found = real(name, **words)  # type: ignore[arg-type]
        if name == "d" and not (top / "d").is_symlink():
            (top / "d").rename(top / "moved")
            (top / "d").symlink_to(host.parent)
        return found

    monkeypatch.setattr(os, "stat", swapped)
    with pytest.raises(ToolFailed):
        leavings.read(top, "d/key", LIMIT)


def test_a_file_that_is_swapped_while_it_is_read_gives_nothing_of_the_other(
    top: Path, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def swapped(name: object, *words: object, **more: object) -> int:
        if name == "key":
            (top / "key").unlink()
            (top / "key").hardlink_to(host)
        return real(name, *words, **more)  # type: ignore[arg-type]

    (top / "key").write_bytes(b"ours")
    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(ToolFailed, match="hard link"):
        leavings.read(top, "key", LIMIT)


def test_nor_is_the_top_itself_a_link(top: Path, host: Path) -> None:
    top.rmdir()
    top.symlink_to(host.parent)
    with pytest.raises(ToolFailed):
        leavings.read(top, "key", LIMIT)


# ------------------------------------------------------------------------------- a repository's own links


def test_links_of_a_repository_are_followed_as_far_as_they_stay_in_it(top: Path, host: Path) -> None:
    (top / "common").mkdir()
    (top / "common" / "backend.tf").write_text("shared")
    (top / "live").mkdir()
    (top / "live" / "backend.tf").symlink_to("../common/backend.tf")
    (top / "alias").symlink_to("live")
    assert leavings.read(top, "live/backend.tf", LIMIT, links=True) == b"shared"
    assert leavings.read(top, "alias/backend.tf", LIMIT, links=True) == b"shared"
    assert leavings.names(top, "alias") == ("backend.tf",)
    with pytest.raises(ToolFailed, match="a link"):
        leavings.read(top, "alias/backend.tf", LIMIT)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../host/key", "../live/../../host/key", "loop"])
def test_a_link_that_leaves_the_repository_or_never_ends_is_not_followed(top: Path, host: Path, target: str) -> None:
    (top / "live").mkdir()
    (top / "live" / "loop").symlink_to(target)
    with pytest.raises(ToolFailed):
        leavings.read(top, "live/loop", LIMIT, links=True)
    with pytest.raises(ToolFailed):
        leavings.names(top, "live/loop")


# ----------------------------------------------------------------------------------------- whole folders


def test_a_folders_regular_files_are_taken_and_links_pipes_and_linked_folders_are_not(top: Path, host: Path) -> None:
    (top / "plan" / "d").mkdir(parents=True)
    (top / "plan" / "a").write_text("one")
    (top / "plan" / "d" / "b").write_text("two")
    link(top / "plan" / "link", host)
    pipe(top / "plan" / "pipe", host)
    (top / "plan" / "d" / "folder").symlink_to(host.parent)
    assert leavings.contents(top, "plan", LIMIT) == {"a": b"one", "d/b": b"two"}


def test_a_folder_with_a_hard_link_or_too_many_bytes_is_refused(top: Path, host: Path) -> None:
    (top / "plan").mkdir()
    hard_link(top / "plan" / "key", host)
    with pytest.raises(ToolFailed, match="hard link"):
        leavings.contents(top, "plan", LIMIT)
    (top / "plan" / "key").unlink()
    for name in ("a", "b"):
        (top / "plan" / name).write_bytes(b"x" * 600)
    with pytest.raises(ToolFailed, match="bytes"):
        leavings.contents(top, "plan", LIMIT)


def test_a_folder_of_too_many_files_or_too_deep_is_refused(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leavings, "MOST_FILES", 3)
    monkeypatch.setattr(leavings, "DEEPEST", 2)
    (top / "many").mkdir()
    for number in range(4):
        (top / "many" / str(number)).touch()
    with pytest.raises(ToolFailed, match="more than 3 files"):
        leavings.contents(top, "many", LIMIT)
    (top / "deep" / "/".join("123")).mkdir(parents=True)
    with pytest.raises(ToolFailed, match="more than 2 deep"):
        leavings.contents(top, "deep", LIMIT)


# ----------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("lay", [link, relative_link, hard_link, pipe, too_large], ids=lambda lay: lay.__name__)
def test_writing_replaces_what_lies_there_and_never_writes_through_it(top: Path, host: Path, lay: Lay) -> None:
    lay(top / "plan", host)
    place = leavings.put(top, "plan", b"new")
    assert (place, place.read_bytes(), place.stat().st_mode & 0o777) == (top / "plan", b"new", 0o600)
    assert not place.is_symlink()
    assert host.read_bytes() == SECRET


def test_nothing_is_written_behind_a_link_or_over_a_directory(top: Path, host: Path) -> None:
    (top / "d").symlink_to(host.parent)
    (top / "full").mkdir()
    for path in ("d/key", "full", "../host/key"):
        with pytest.raises(ToolFailed):
            leavings.put(top, path, b"new")
    assert host.read_bytes() == SECRET
