"""A growing log is readable while it grows, bounded, encrypted, and never stops the run that writes it."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import KeyMismatch, StoreDown
from bot.stores.artifacts import ArtifactKey, Cipher
from bot.stores.logs import PIECE_BYTES, StoredLog, log_name, read_log
from bot.stores.sqlstore import SqlStore

CIPHER = Cipher(ArtifactKey(b"1" * 32))


class Shelf:
    """A store of pieces that can be down, and can fail after it took a piece."""

    def __init__(self):
        self.pieces, self.down, self.unclear, self.lock = {}, False, False, threading.Lock()

    def append_log(self, run_id, seq, data):
        with self.lock:
            if self.down:
                raise StoreDown("away")
            self.pieces.setdefault((run_id, seq), data)
            if self.unclear:
                self.unclear = False
                raise StoreDown("the answer was lost")

    def log_pieces(self, run_id, after=-1):
        with self.lock:
            return tuple(
                (seq, data) for (run, seq), data in sorted(self.pieces.items()) if run == run_id and seq > after
            )


@pytest.fixture
def shelf():
    return Shelf()


def _text(shelf, run_id="r1"):
    return "".join(text for _, text in read_log(shelf, CIPHER, run_id))


def _until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_written_can_be_read_before_the_log_is_closed(shelf):
    log = StoredLog(shelf, CIPHER, "r1")
    log.write("Initializing…\n")
    _until(lambda: _text(shelf) == "Initializing…\n")
    log.write("done\n")
    assert log.close() == log_name("r1")
    assert _text(shelf) == "Initializing…\ndone\n"


def test_a_reader_gets_only_what_is_new_to_it(shelf):
    log = StoredLog(shelf, CIPHER, "r1")
    log.write("a" * PIECE_BYTES)
    log.write("b")
    log.close()
    ((first, _), (second, text)) = read_log(shelf, CIPHER, "r1")
    assert text == "b"
    assert read_log(shelf, CIPHER, "r1", first) == ((second, "b"),)
    assert read_log(shelf, CIPHER, "r1", second) == ()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(max_size=30) | st.just("é" * PIECE_BYTES), max_size=6))
def test_the_pieces_are_the_text_however_it_came(texts):
    shelf = Shelf()
    log = StoredLog(shelf, CIPHER, "r1")
    for text in texts:
        log.write(text)
    log.close()
    assert _text(shelf) == "".join(texts)


def test_many_short_lines_are_few_pieces(shelf):
    log = StoredLog(shelf, CIPHER, "r1")
    for number in range(2000):
        log.write(f"line {number}\n")
    log.close()
    assert len(shelf.pieces) <= 20


def test_a_log_ends_at_its_bound_and_says_how_much_is_missing(shelf):
    log = StoredLog(shelf, CIPHER, "r1", keep_bytes=10)
    log.write("12345678é9")
    log.write("x")
    log.close()
    assert _text(shelf) == "12345678é\n… 2 bytes more were not kept\n"


def test_a_character_on_the_bound_is_left_out_whole(shelf):
    log = StoredLog(shelf, CIPHER, "r1", keep_bytes=3)
    log.write("ab€c")
    log.write("d")
    log.close()
    assert _text(shelf) == "ab\n… 5 bytes more were not kept\n"


def test_a_store_that_is_down_delays_the_log_and_loses_nothing(shelf):
    shelf.down = True
    log = StoredLog(shelf, CIPHER, "r1")
    log.write("a" * PIECE_BYTES)
    log.write("b")
    shelf.down = False
    _until(lambda: _text(shelf).endswith("b"))
    log.close()
    assert _text(shelf) == "a" * PIECE_BYTES + "b"


def test_a_piece_whose_outcome_was_unclear_is_neither_lost_nor_doubled(shelf):
    shelf.unclear = True
    log = StoredLog(shelf, CIPHER, "r1")
    log.write("a" * PIECE_BYTES)
    log.write("b")
    log.close()
    assert _text(shelf) == "a" * PIECE_BYTES + "b"


def test_closing_says_when_the_rest_cannot_be_stored_and_can_be_tried_again(shelf):
    log = StoredLog(shelf, CIPHER, "r1")
    log.write("a")
    shelf.down = True
    with pytest.raises(StoreDown):
        log.close()
    shelf.down = False
    log.write("too late")
    log.close()
    assert _text(shelf) == "a"


def test_a_second_log_of_a_run_goes_on_behind_the_first(shelf):
    for text in ("first\n", "second\n"):
        log = StoredLog(shelf, CIPHER, "r1")
        log.write(text)
        log.close()
    assert _text(shelf) == "first\nsecond\n"


def test_pieces_rest_encrypted_and_cannot_be_moved_to_another_run(tmp_path):
    store = SqlStore(f"sqlite:///{tmp_path}/headgate.db")
    store.migrate()
    log = StoredLog(store, CIPHER, "r1")
    log.write("inside")
    log.close()
    ((seq, sealed),) = store.log_pieces("r1")
    assert b"inside" not in sealed
    store.append_log("r2", seq, sealed)
    with pytest.raises(KeyMismatch):
        read_log(store, CIPHER, "r2")
    assert read_log(store, CIPHER, "r1") == ((seq, "inside"),)
    store.close()
