"""Credentials in every form that the operator may grant: variables, private files."""

from bot.credentials.granter import Forms

__all__ = ["Forms"]
