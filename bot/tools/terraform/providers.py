"""Provider packages that the roots on one machine share.

Terraform's own plugin cache may not be filled by two ``init`` at once, and changes packages that another run is
starting (https://developer.hashicorp.com/terraform/cli/config/config-file#provider-plugin-cache). So no command ever
writes here: what an ``init`` installed for itself is moved in whole, by one rename, and stays as it is. The next
``init`` of a root whose lock file names only packages of the store takes them from here, offline; Terraform compares
them with the checksums in that lock file, so nothing that anybody put here in their place is ever started.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

from bot.tools import leavings

PACKAGE_DEPTH: Final = 5
"""``HOST/NAMESPACE/TYPE/VERSION/PLATFORM``: how both the store and a ``.terraform/providers`` are laid out."""

_PIN: Final = re.compile(
    rb'^provider "(\w[\w.:-]*/\w[\w-]*/\w[\w-]*)" \{\s*version\s*=\s*"(\w[\w.+-]*)"', re.MULTILINE
)


def pinned(lock: bytes) -> tuple[str, ...]:
    """What a lock file names, as ``HOST/NAMESPACE/TYPE/VERSION``."""
    return tuple(f"{address.decode()}/{version.decode()}" for address, version in _PIN.findall(lock))


def complete(store: Path, lock: bytes) -> bool:
    """Whether everything that a lock file names is here; False for one that names nothing."""
    wanted = pinned(lock)
    return bool(wanted) and all((store / each).is_dir() for each in wanted)


def keep(cache: Path, installed: str, store: Path) -> None:
    """Move packages from ``installed``, a directory below ``cache``, into the store, and leave links to them.
    What is here already, or is itself a link, stays. Raises ToolFailed."""
    for package in leavings.folders(cache, installed, PACKAGE_DEPTH):
        place = store / package
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (
            contextlib.suppress(FileExistsError),
            leavings.folder_of(cache, f"{installed}/{package}") as (folder, name),
        ):
            if _moved(folder, name, place):
                os.symlink(place, name, dir_fd=folder)


def _moved(folder: int, name: str, place: Path) -> bool:
    """False when another run was first: a rename never replaces a directory that is not empty."""
    try:
        os.rename(name, place, src_dir_fd=folder)
    except OSError:
        if place.is_dir():
            return False
        raise
    return True
