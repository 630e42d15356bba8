"""Keys that sign id tokens: one for all processes, after every restart, replaced without a gap, useless when read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.request import urlopen

import jwt
import pytest
from issuing import Passing

from bot.core.errors import KeyMismatch
from bot.core.identity import AHEAD, KEPT
from bot.credentials import Ring
from bot.credentials.signing import SETTING
from bot.stores.artifacts import ArtifactKey, Cipher
from bot.stores.sqlstore import SqlStore

CLAIMS = {"sub": "s"}


def signed_by(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def verified(token: str, ring: Ring) -> dict[str, object]:
    keys = jwt.PyJWKSet.from_dict(ring.public())
    return dict(jwt.decode(token, keys[signed_by(token)], algorithms=["RS256"]))


def test_what_was_signed_before_a_restart_is_verified_after_it(ring: Ring, store: SqlStore, clock: Passing) -> None:
    token = ring.sign(CLAIMS)
    again = Ring(store, lambda: Cipher(ArtifactKey(b"k" * 32)), clock.now)

    assert verified(token, again) == CLAIMS
    assert signed_by(again.sign(CLAIMS)) == signed_by(token)


def test_who_starts_at_the_same_time_has_the_same_key(ring: Ring) -> None:
    with ThreadPoolExecutor(4) as threads:
        tokens = list(threads.map(lambda _: ring.sign(CLAIMS), range(4)))

    assert len({signed_by(token) for token in tokens}) == 1
    assert len(ring.known()) == 1


def test_the_private_half_is_stored_encrypted_and_another_key_does_not_open_it(
    ring: Ring, store: SqlStore, clock: Passing
) -> None:
    ring.ensure()
    stranger = Ring(store, lambda: Cipher(ArtifactKey(b"x" * 32)), clock.now)

    assert "PRIVATE" not in (store.setting(SETTING) or "")
    with pytest.raises(KeyMismatch):
        stranger.sign(CLAIMS)


def test_the_public_half_is_shown_without_the_installations_key(ring: Ring, store: SqlStore, clock: Passing) -> None:
    ring.ensure()

    def none_here() -> Cipher:
        raise KeyMismatch("not here")

    [key] = Ring(store, none_here, clock.now).public()["keys"]  # type: ignore[misc]
    assert {name: key[name] for name in ("kty", "alg", "use")} == {"kty": "RSA", "alg": "RS256", "use": "sig"}
    assert set(key) == {"kty", "alg", "use", "kid", "n", "e"}


def test_a_key_is_replaced_without_a_moment_in_which_a_token_is_not_believed(ring: Ring, clock: Passing) -> None:
    before = ring.sign(CLAIMS)

    new = ring.rotate()
    assert signed_by(ring.sign(CLAIMS)) == signed_by(before)
    clock.by = AHEAD
    after = ring.sign(CLAIMS)
    assert signed_by(after) == new.id
    assert verified(before, ring) == verified(after, ring) == CLAIMS
    clock.by = AHEAD + KEPT + timedelta(seconds=5)
    assert [key.id for key in ring.known()] == [new.id]


def test_keys_are_encrypted_anew_under_another_artifact_key(ring: Ring, store: SqlStore, clock: Passing) -> None:
    old, new = ArtifactKey(b"k" * 32), ArtifactKey(b"n" * 32)
    token = ring.sign(CLAIMS)

    Ring(store, lambda: Cipher(new, old), clock.now).reseal()

    assert signed_by(Ring(store, lambda: Cipher(new), clock.now).sign(CLAIMS)) == signed_by(token)


def test_where_there_is_no_key_none_is_encrypted_anew(ring: Ring) -> None:
    ring.reseal()

    assert ring.known() == ()


def test_a_stolen_key_is_forgotten_at_once(ring: Ring) -> None:
    before = ring.sign(CLAIMS)

    new = ring.rotate(at_once=True)

    assert signed_by(ring.sign(CLAIMS)) == new.id
    with pytest.raises(KeyError):
        verified(before, ring)


def test_the_documents_are_public_and_kept_for_less_than_a_new_key_waits(issuer: str) -> None:
    for name in ("openid-configuration", "jwks.json"):
        with urlopen(f"{issuer}/.well-known/{name}", timeout=10) as answer:
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Cache-Control"] == "public, max-age=300"
