"""A binary's version is asked once for each binary, though every run is a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.tools.terraform.version import known_version


class Binary:
    """A file that stands for a program, and how often its version was asked."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "terraform"
        self.cache = folder / "cache"
        self.cache.mkdir()
        self.asked = 0
        self.install("1.0")

    def install(self, version: str, head: bytes = b"\x7fELF") -> None:
        self.version = version
        self.path.write_bytes(head + version.encode())
        os.utime(self.path, ns=(0, self.asked))

    def known(self) -> str:
        def ask() -> str:
            self.asked += 1
            return self.version

        return known_version(self.cache, str(self.path), ask)


@pytest.fixture
def binary(tmp_path: Path) -> Binary:
    return Binary(tmp_path)


def test_it_is_asked_once_for_a_binary(binary: Binary) -> None:
    assert [binary.known() for _ in range(3)] == ["1.0"] * 3
    assert binary.asked == 1


def test_a_binary_that_was_replaced_is_asked_again(binary: Binary) -> None:
    binary.known()
    binary.install("1.1")

    assert binary.known() == "1.1"


def test_a_script_that_chooses_a_version_is_asked_each_time(binary: Binary) -> None:
    binary.install("1.0", head=b"#!/bin/sh\n")
    binary.known()
    binary.version = "1.1"

    assert binary.known() == "1.1"


@pytest.mark.parametrize("note", ["", "{", "[]", "{}", '{"binary": 1}', "null"])
def test_a_note_that_cannot_be_read_is_no_answer(binary: Binary, note: str) -> None:
    (binary.cache / "terraform.version").write_text(note)

    assert binary.known() == "1.0"
    assert binary.asked == 1
