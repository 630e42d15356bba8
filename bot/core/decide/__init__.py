"""Deciding what to do about a change: pure functions of a snapshot; ``decision.decide`` puts them together."""
