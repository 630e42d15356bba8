"""Writing a sparse work tree from objects, by ourselves: no filter, no attribute, no hook can take part.

Refused: links that leave the tree, paths that are not plain, ``.git`` in any spelling, more bytes than allowed.
"""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bot.core.errors import HostDenied
from bot.mirror.objects import LINK, LINK_LIMIT, REGULAR, SUBMODULE, Objects

FILE_LIMIT: Final = 200 * 2**20
TREE_LIMIT: Final = 2 * 2**30
FILES_LIMIT: Final = 200_000


def check_out(objects: Objects, entries: Mapping[str, tuple[str, str]], at: Path) -> None:
    """Write ``entries`` (path -> mode, object id) below ``at``. Raises HostDenied naming what is refused."""
    if len(entries) > FILES_LIMIT:
        raise HostDenied(f"the checkout would have {len(entries):,} files, and at most {FILES_LIMIT:,} are written")
    at.mkdir(mode=0o700, parents=True, exist_ok=True)
    links = {path: _link(objects, path, name) for path, (mode, name) in entries.items() if mode == LINK}
    spellings: dict[str, str] = {}
    total = 0
    for path, (mode, name) in sorted(entries.items()):
        _refuse_odd(path, spellings)
        _refuse_below_a_link(path, links)
        place = at / path
        if mode == SUBMODULE:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            continue
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if mode == LINK:
            place.symlink_to(links[path])
        elif mode in REGULAR:
            data = objects.read(name, FILE_LIMIT)
            if data is None:
                raise HostDenied(f"{path!r} is larger than {FILE_LIMIT} bytes")
            total += len(data)
            if total > TREE_LIMIT:
                raise HostDenied(f"the checkout is larger than {TREE_LIMIT} bytes")
            _write(place, data, executable=mode == "100755")


def _write(place: Path, data: bytes, *, executable: bool) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if executable else 0o644)
    with os.fdopen(handle, "wb") as out:
        out.write(data)


def _link(objects: Objects, path: str, name: str) -> str:
    """A link's target, if it stays inside the tree."""
    data = objects.read(name, LINK_LIMIT)
    target = (data or b"").decode("utf-8", "surrogateescape")
    landing = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if not target or target.startswith("/") or landing == ".." or landing.startswith("../"):
        raise HostDenied(f"the link {path!r} leaves the repository")
    # "a/.." is where a link called "a" leads, not where it lies: only steps up that come first can be followed here.
    steps = [step for step in target.split("/") if step not in ("", ".")]
    if ".." in steps[next((place for place, step in enumerate(steps) if step != ".."), len(steps)) :]:
        raise HostDenied(f"the link {path!r} goes up after it went down, so it may leave the repository")
    return target


def _refuse_odd(path: str, spellings: dict[str, str]) -> None:
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise HostDenied(f"the path {path!r} is not plain")
    for part in parts:
        folded = (
            unicodedata.normalize("NFKC", part).casefold().replace("\u200c", "").replace("\u200d", "").rstrip(". ")
        )
        if folded in (".git", "git~1"):
            raise HostDenied(f"the path {path!r} pretends to be git's own directory")
    folded_path = unicodedata.normalize("NFC", path).casefold()
    if spellings.setdefault(folded_path, path) != path:
        raise HostDenied(f"{path!r} and {spellings[folded_path]!r} differ only in case")


def _refuse_below_a_link(path: str, links: Mapping[str, str]) -> None:
    parts = path.split("/")
    for depth in range(1, len(parts)):
        if "/".join(parts[:depth]) in links:
            raise HostDenied(f"{path!r} is below a link")
