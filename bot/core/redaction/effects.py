"""Effects without secrets: what a plan shows is kept, and read by everybody who may read the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bot.core.effectset import EffectSet, Leaf, OutputEffect, ResourceEffect, Value, ValueKind, effect_set, token
from bot.core.redaction import Redactor

_NOTHING: Final = EffectSet()
_Place = tuple[str, str]


def concealed(effects: EffectSet, redactor: Redactor, key: bytes, reviewed: EffectSet = _NOTHING) -> EffectSet:
    """The effects with a keyed token in place of each value that must not be shown, and a name that tells nothing in
    place of each such name; so two different secrets stay different.

    A deploy is given other secrets than the plan, so it knows other values. What was ``reviewed`` decides then: a
    value that stood there openly, or as its token, is written the same way again.
    """
    if not reviewed.resources and not reviewed.outputs and not _tells(redactor, "\n".join(_words(effects))):
        return effects
    veil = _Veil(redactor, key, dict(_values(reviewed)))
    return effect_set(map(veil.resource, effects.resources), map(veil.output, effects.outputs), effects.unpredictable)


@dataclass(frozen=True, slots=True)
class _Veil:
    redactor: Redactor
    key: bytes
    before: Mapping[_Place, tuple[Value, ...]]

    def resource(self, effect: ResourceEffect) -> ResourceEffect:
        """One resource; one that has nothing to hide is told from the rest by one look."""
        address = self._name(effect.address)
        hidden_before = any(self._hidden_before(address, leaf) for leaf in effect.leaves)
        if not hidden_before and not _tells(self.redactor, "\n".join(_words(EffectSet((effect,))))):
            return effect
        return replace(
            effect,
            address=address,
            previous_address=self._name(effect.previous_address),
            reason=self._name(effect.reason),
            import_id=self._name(effect.import_id),
            replace_paths=tuple(map(self._name, effect.replace_paths)),
            leaves=tuple(self._leaf(address, leaf) for leaf in effect.leaves),
        )

    def output(self, effect: OutputEffect) -> OutputEffect:
        """One output."""
        leaf = self._leaf("", Leaf(effect.name, effect.before, effect.after))
        return OutputEffect(leaf.path, leaf.before, leaf.after)

    def _leaf(self, address: str, leaf: Leaf) -> Leaf:
        path = self._name(leaf.path)
        known = self.before.get((address, path), ())
        return Leaf(path, self._value(leaf.before, known), self._value(leaf.after, known))

    def _hidden_before(self, address: str, leaf: Leaf) -> bool:
        return any(value.kind is ValueKind.SENSITIVE for value in self.before.get((address, leaf.path), ()))

    def _value(self, value: Value, known: tuple[Value, ...]) -> Value:
        if value.kind is not ValueKind.KNOWN or value in known:
            return value
        hidden = Value(ValueKind.SENSITIVE, token(self.key, value.text))
        return hidden if hidden in known or _tells(self.redactor, value.text) else value

    def _name(self, text: str) -> str:
        shown = self.redactor.text(text) if text else text
        return text if shown == text else f"{shown} #{token(self.key, text)[:8]}"


def _tells(redactor: Redactor, text: str) -> bool:
    return redactor.text(text) != text


def _values(effects: EffectSet) -> Iterator[tuple[_Place, tuple[Value, ...]]]:
    """What stands where."""
    for each in effects.resources:
        for leaf in each.leaves:
            yield (each.address, leaf.path), (leaf.before, leaf.after)
    for output in effects.outputs:
        yield ("", output.name), (output.before, output.after)


def _words(effects: EffectSet) -> Iterator[str]:
    """Everything that could be shown."""
    for each in effects.resources:
        yield from (each.address, each.previous_address, each.reason, each.import_id, *each.replace_paths)
    for (_, path), values in _values(effects):
        yield path
        yield from (value.text for value in values if value.kind is ValueKind.KNOWN)
