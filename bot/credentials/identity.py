"""An id token for a run: signed here or found, perhaps exchanged, and put where the run's tools look for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import jwt

from bot.core.identity import LONGEST, Bearer, claims
from bot.credentials.process import Unusable

Sign = Callable[[Mapping[str, object]], str]
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: its URL, and how."""

    url: str
    sign: Sign

    def token(self, bearer: Bearer, audience: str, lifetime: float, now: datetime) -> tuple[str, datetime]:
        """A new token and its end."""
        until = now + timedelta(seconds=lifetime)
        said = claims(bearer, issuer=self.url, audience=audience, now=now, until=until, token_id=str(uuid.uuid4()))
        return self.sign(said), until


def lifetime(wanted: float, lasts: float) -> float:
    """Seconds that a token is good for: as the operator says, or while the step may go on, an hour at most."""
    return wanted or min(lasts, LONGEST)


def end_of(token: str) -> datetime | None:
    """When somebody else's token ends; None when it does not say so in a form we know. Nothing is verified: whom it
    is for does that."""
    try:
        return datetime.fromtimestamp(jwt.decode(token, options={"verify_signature": False})["exp"], UTC)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError):
        return None


def external_account(text: str, token_path: str) -> str:
    """Google's file for an external account, pointed at this run's own token. Raises Unusable for any other file.

    https://google.aip.dev/auth/4117
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("type") != "external_account":
        raise Unusable("this is no JSON file of the type `external_account`")
    source = {"file": token_path, "format": {"type": "text"}}
    return json.dumps({**value, "subject_token_type": JWT, "credential_source": source})
