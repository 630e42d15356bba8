"""Growing logs: redacted text, appended in encrypted pieces while a run goes on, never without bound."""

from __future__ import annotations

import threading
from typing import Final, Protocol

from bot.core.errors import StoreDown
from bot.stores.artifacts import Sealer

PIECE_BYTES: Final = 16 * 2**10
"""A piece is written as soon as this much waits …"""

PIECE_SECONDS: Final = 0.3
"""… or so long after the first byte of it came."""

KEEP_BYTES: Final = 10 * 2**20
"""What is kept of one log."""


class Pieces(Protocol):
    """What a log needs of the store."""

    def append_log(self, run_id: str, seq: int, data: bytes) -> None: ...

    def log_pieces(self, run_id: str, after: int = -1) -> tuple[tuple[int, bytes], ...]: ...


def log_name(run_id: str) -> str:
    """What ``Run.log`` says once the log is complete."""
    return f"log:{run_id}"


class StoredLog:
    """``LogSink`` over the store. A store that is down delays pieces; it never stops the run that writes them."""

    def __init__(self, store: Pieces, cipher: Sealer, run_id: str, *, keep_bytes: int = KEEP_BYTES) -> None:
        self._store = store
        self._cipher = cipher
        self._run_id = run_id
        self._room = keep_bytes
        self._dropped = 0
        self._waiting = bytearray()
        self._sealed: tuple[bytes, int] | None = None
        self._next = max((seq for seq, _ in store.log_pieces(run_id)), default=-1) + 1
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._closed = False

    def write(self, text: str) -> None:
        """Take text (already redacted); it is stored within a moment. Nothing is taken after ``close``."""
        data = text.encode("utf-8", "replace")
        with self._lock:
            if self._closed:
                return
            kept = _whole_characters(data[: self._room])
            self._room -= len(kept)
            self._dropped += len(data) - len(kept)
            if len(kept) < len(data):
                # Once something was left out, so is everything after it: a log with holes misleads.
                self._room = 0
            self._waiting += kept
            if len(self._waiting) >= PIECE_BYTES:
                self._flush()
            elif self._waiting and self._timer is None:
                self._start_timer()

    def close(self) -> str:
        """Store the rest; returns the log's name. Raises StoreDown when the rest cannot be stored."""
        with self._lock:
            if not self._closed and self._dropped:
                self._waiting += f"\n… {self._dropped} bytes more were not kept\n".encode()
            self._closed = True
            self._stop_timer()
            while self._waiting:
                self._store_piece()
        return log_name(self._run_id)

    def _flush(self) -> None:
        self._stop_timer()
        try:
            while self._waiting:
                self._store_piece()
        except StoreDown:
            self._start_timer()

    def _store_piece(self) -> None:
        # The same bytes again after a failure: the store may have taken them although it did not say so.
        if self._sealed is None:
            piece = _whole_characters(bytes(self._waiting[:PIECE_BYTES]))
            self._sealed = self._cipher.seal(piece, piece_name(self._run_id, self._next)), len(piece)
        sealed, length = self._sealed
        self._store.append_log(self._run_id, self._next, sealed)
        self._sealed = None
        self._next += 1
        del self._waiting[:length]

    def _on_time(self) -> None:
        with self._lock:
            self._timer = None
            if not self._closed:
                self._flush()

    def _start_timer(self) -> None:
        self._timer = threading.Timer(PIECE_SECONDS, self._on_time)
        self._timer.daemon = True
        self._timer.start()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def read_log(store: Pieces, cipher: Sealer, run_id: str, after: int = -1) -> tuple[tuple[int, str], ...]:
    """The pieces after number ``after``, opened, in order; join them for the text. Raises KeyMismatch."""
    return tuple(
        (seq, cipher.open(sealed, piece_name(run_id, seq)).decode("utf-8", "replace"))
        for seq, sealed in store.log_pieces(run_id, after)
    )


def piece_name(run_id: str, seq: int) -> str:
    """What a piece is bound to: it opens in no other log and at no other place."""
    return f"log:{run_id}:{seq}"


def _whole_characters(data: bytes) -> bytes:
    """Without the beginning of a character that was cut at the end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data if length <= back else data[:-back]
    return data
