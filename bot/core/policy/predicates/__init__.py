"""The predicates: what a rule's ``if`` and ``conditions`` may ask. To add one is a function and its row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.core.policy.predicates import about_change, about_files, about_people, about_plans, about_reports
from bot.core.policy.predicates.predicate import Predicate

PREDICATES: Final[Mapping[str, Predicate]] = {
    each.name: each
    for module in (about_files, about_people, about_change, about_reports, about_plans)
    for each in module.PREDICATES
}
"""By name, in the order of the documentation."""
