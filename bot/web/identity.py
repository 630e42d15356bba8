"""Who we are to those that verify id tokens: two public documents. They hold no secret and need no key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Flask, Response, jsonify

from bot.core.errors import StoreDown
from bot.core.identity import AHEAD, discovery

FRESH = int(AHEAD.total_seconds()) // 12
"""Seconds that others may keep them: much less than a new key is shown before it signs."""


def add_identity(app: Flask, issuer: str, keys: Callable[[], Mapping[str, object]]) -> None:
    """``/.well-known/openid-configuration`` and ``/.well-known/jwks.json``, as OpenID Connect Discovery has them."""

    @app.get("/.well-known/openid-configuration")
    def configuration() -> Response:
        return _public(discovery(issuer))

    @app.get("/.well-known/jwks.json")
    def key_set() -> Response:
        try:
            return _public(keys())
        except StoreDown:
            answer = jsonify(message="the store cannot be reached; ask again later")
            answer.status_code = 503
            return answer


def _public(document: Mapping[str, object]) -> Response:
    answer = jsonify(document)
    answer.headers["Cache-Control"] = f"public, max-age={FRESH}"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
