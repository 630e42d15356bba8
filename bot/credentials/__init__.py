"""Credentials in every form that the operator may grant: variables, private files, programs, id tokens."""

from bot.credentials.granter import Forms
from bot.credentials.identity import Issuer
from bot.credentials.signing import Ring

__all__ = ["Forms", "Issuer", "Ring"]
