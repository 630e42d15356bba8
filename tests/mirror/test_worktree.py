"""A run's checkout: only what its project needs, nothing that leads out, and no program of the change takes part."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import HostDenied
from bot.mirror import worktree

PROGRAM, LINK, SUBMODULE = "100755", "120000", "160000"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 9\n"


def checked_out(mirror: Any, sha: str, place: Path, *paths: str) -> Path:
    mirror.fetch((sha,))
    mirror.checkout(sha, paths, place)
    return place


def listed(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if not path.is_dir() or path.is_symlink())


def test_only_the_project_and_its_local_modules_are_written(origin: Any, mirror: Any, tmp_path: Path) -> None:
    paths = ("live/web/main.tf", "live/web2/main.tf", "live/db/main.tf", "modules/net/a.tf", "modules/other/b.tf")
    sha = origin.commit({**dict.fromkeys(paths, "text"), "common.tfvars": "x", ".headgate.yaml": "y"})
    place = checked_out(mirror, sha, tmp_path / "run", "live/web", "modules/net/", "common.tfvars")

    assert listed(place) == ["common.tfvars", "live/web/main.tf", "modules/net/a.tf"]
    assert not (place / ".git").exists()


@pytest.mark.parametrize("whole", [(), (".",), ("", "live")])
def test_a_project_at_the_root_gets_everything(
    origin: Any, mirror: Any, tmp_path: Path, whole: tuple[str, ...]
) -> None:
    sha = origin.commit({"main.tf": "a", "live/web.tf": "b"})

    assert listed(checked_out(mirror, sha, tmp_path / "run", *whole)) == ["live/web.tf", "main.tf"]


def test_contents_and_the_executable_bit_are_kept_and_links_inside_lead_where_they_say(
    origin: Any, mirror: Any, tmp_path: Path
) -> None:
    files = {
        "run.sh": (PROGRAM, "#!/bin/sh\n"),
        "a/b/link": (LINK, "../../run.sh"),
        "here": (LINK, "./a"),
        "ü": "é\r\n",
    }
    place = checked_out(mirror, origin.commit(files), tmp_path / "run")

    assert (place / "a/b/link").read_text() == "#!/bin/sh\n"
    assert os.access(place / "run.sh", os.X_OK) and not os.access(place / "ü", os.X_OK)
    assert (place / "ü").read_bytes() == "é\r\n".encode()
    assert (place / "here/b/link").resolve() == (place / "run.sh").resolve()


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "..", "../outside", "a/../../outside", "deep/../../../x", "", "./../x", "../../../../etc/shadow"],
)
def test_a_link_that_leaves_the_repository_is_refused(origin: Any, mirror: Any, tmp_path: Path, target: str) -> None:
    sha = origin.commit({"link": (LINK, target), "file": "x"})
    with pytest.raises(HostDenied, match="link"):
        checked_out(mirror, sha, tmp_path / "run")


def test_links_that_leave_the_repository_together_are_refused(origin: Any, mirror: Any, tmp_path: Path) -> None:
    """Each alone seems to stay inside: ``x/y/up/../secret`` is ``x/y/secret`` only where ``up`` is no link."""
    (tmp_path / "secret").write_text("of the host")
    sha = origin.commit({"x/y/up": (LINK, "../.."), "out": (LINK, "x/y/up/../secret")})
    with pytest.raises(HostDenied, match="goes up after it went down"):
        checked_out(mirror, sha, tmp_path / "run")


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".GIT/hooks/post-checkout",
        "sub/.git",
        "git~1/config",
        ".g\u200cit/config",
        ".git . /config",
        "\uff0egit/config",
        "../outside",
        "a/../b",
        "./a",
    ],
)
def test_paths_that_pretend_or_climb_are_refused(origin: Any, mirror: Any, tmp_path: Path, path: str) -> None:
    sha = origin.commit({path: "x"})
    with pytest.raises(HostDenied):
        checked_out(mirror, sha, tmp_path / "run")

    assert not (tmp_path / "outside").exists()


def test_paths_that_differ_only_in_case_are_refused(origin: Any, mirror: Any, tmp_path: Path) -> None:
    sha = origin.commit({"Main.tf": "a", "main.tf": "b"})
    with pytest.raises(HostDenied, match="differ only in case"):
        checked_out(mirror, sha, tmp_path / "run")


def test_nothing_is_written_through_a_link(origin: Any, mirror: Any, tmp_path: Path) -> None:
    """A tree may list a link and a directory of the same name; git itself was once misled by it."""
    sha = origin.commit({"a": (LINK, "b"), "a/file": "x", "b/other": "y"})
    with pytest.raises(HostDenied, match="below a link"):
        checked_out(mirror, sha, tmp_path / "run")


@pytest.mark.parametrize(
    ("limit", "said"), [("FILE_LIMIT", "larger than 10 bytes"), ("TREE_LIMIT", "the checkout is")]
)
def test_a_checkout_is_bounded(
    origin: Any, mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, said: str
) -> None:
    monkeypatch.setattr(worktree, limit, 10)
    sha = origin.commit({"a": "1234567", "b": "12345678901"})
    with pytest.raises(HostDenied, match=said):
        checked_out(mirror, sha, tmp_path / "run")


def test_submodules_stay_empty_and_large_files_stay_pointers(origin: Any, mirror: Any, tmp_path: Path) -> None:
    files = {
        ".gitmodules": '[submodule "m"]\npath = m\nurl = ../evil.git\n',
        ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        "m": (SUBMODULE, "a" * 40),
        "big.bin": LFS,
    }
    place = checked_out(mirror, origin.commit(files), tmp_path / "run")

    assert list((place / "m").iterdir()) == []
    assert (place / "big.bin").read_text() == LFS


def test_no_attribute_changes_a_byte_and_no_filter_runs(
    origin: Any, mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "filter-ran"
    (tmp_path / ".gitconfig").write_text(f'[filter "evil"]\n\tsmudge = touch {ran}\n\trequired = true\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    text = "$Id$ one\n$Format:%H$\n"
    attributes = "* filter=evil ident eol=crlf export-subst working-tree-encoding=UTF-16\n"
    place = checked_out(mirror, origin.commit({".gitattributes": attributes, "f": text}), tmp_path / "run")

    assert (place / "f").read_text() == text
    assert not ran.exists()


def test_no_hook_runs(origin: Any, mirror: Any, tmp_path: Path) -> None:
    first = origin.commit({"f": "1"}, branch="main")
    mirror.fetch((first,), branch="main")
    ran = tmp_path / "hook-ran"
    hooks = tmp_path / "mirrors" / "github" / "acme__infra.git" / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-merge", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    second = origin.commit({"f": "2"}, first, branch="main")
    mirror.fetch((second,), branch="main")
    mirror.merge(first, second)
    mirror.checkout(second, (), tmp_path / "run")

    assert (tmp_path / "run" / "f").read_text() == "2"
    assert not ran.exists()


def test_a_checkout_never_overwrites(origin: Any, mirror: Any, tmp_path: Path) -> None:
    sha = origin.commit({"f": "theirs"})
    place = tmp_path / "run"
    place.mkdir()
    (place / "f").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        checked_out(mirror, sha, place)

    assert not (tmp_path / "victim").exists()


def test_a_checkout_has_so_many_files_at_most(
    origin: Any, mirror: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.mirror.worktree.FILES_LIMIT", 2)
    sha = origin.commit({"a": "1", "b": "1", "c": "1"}, branch="main")
    mirror.fetch((sha,), branch="main")
    with pytest.raises(HostDenied, match="would have 3 files, and at most 2 are written"):
        mirror.checkout(sha, (), tmp_path / "tree")
