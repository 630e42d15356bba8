"""Everything that is fuzzed."""

from __future__ import annotations

from fuzzing import effects, granted, guards, incoming, network, secrets, settings, talk

SUBJECTS = (
    *incoming.SUBJECTS,
    *settings.SUBJECTS,
    *talk.SUBJECTS,
    *effects.SUBJECTS,
    *guards.SUBJECTS,
    *granted.SUBJECTS,
    *secrets.SUBJECTS,
    *network.SUBJECTS,
)
