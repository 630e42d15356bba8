"""Attacks on files: of the host, of other runs, of the store."""

from __future__ import annotations

from typing import Final

from attacks.attack import Attack, box, by, heard, spoiled, took
from attacks.layers import Layer

ATTACKS: Final = (
    Attack(
        name="read-a-file-of-the-host",
        tries="read a key that lies in the worker's file system",
        files=box("loot(read('@file@'))"),
        harmed=took("file"),
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="write-a-file-of-the-host",
        tries="overwrite a file of the worker, and leave another beside it",
        files=box(
            "for path in ('@file@', '@folder@/left'):\n"
            "    try: open(path, 'w').write('mine')\n"
            "    except OSError: pass"
        ),
        harmed=spoiled,
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="phone-home-by-tcp",
        tries="connect to a service of the worker's network",
        files=box("socket.create_connection(('127.0.0.1', @tcp@), 3)"),
        harmed=heard("tcp"),
        stopped_by=by(Layer.NETWORK),
    ),
)
