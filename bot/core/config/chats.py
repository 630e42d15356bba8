"""Chat routes: one kind of chat each, its plain options, and where its secrets are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.core.config.document import Path
from bot.core.config.schema import unknown
from bot.core.config.secrets import SECRET_NAMES, SecretReader, looks_secret, reference
from bot.core.rules import ChatRoute, SecretRef


@dataclass(frozen=True, slots=True)
class ChatKeys:
    """Which settings a kind of chat knows: plain ones, and secret ones (written ``NAME_file`` or by reference)."""

    options: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


KNOWN_CHATS: Final[Mapping[str, ChatKeys]] = {
    "webhook": ChatKeys(("url",), ("url", "secret")),
    "slack": ChatKeys(("channel",), ("token",)),
    "apprise": ChatKeys((), ("url",)),
}
"""Chats known when the caller does not say which there are."""


def chat_routes(
    raw: Sequence[Mapping[str, Any]], chats: Mapping[str, ChatKeys], secrets: SecretReader, *, open_chats: bool
) -> tuple[ChatRoute, ...]:
    """The routes, as listed. ``open_chats`` takes kinds that are not in ``chats`` with whatever keys they have."""
    taken: set[str] = set()
    routes = []
    for number, each in enumerate(raw):
        [(kind, settings)] = each["to"].items()
        path: Path = ("chat", number, "to", kind)
        options, found = _settings(kind, settings, chats, secrets, path, open_chats=open_chats)
        name = each.get("name", f"{kind}-{number + 1}")
        if name in taken:
            secrets.refuse(("chat", number, "name"), "is the name of another route")
        taken.add(name)
        routes.append(
            ChatRoute(
                name=name,
                kind=kind,
                when=tuple(each.get("when", ())),
                environments=tuple(each.get("environments", ())),
                options=options,
                secrets=found,
            )
        )
    return tuple(routes)


def _settings(
    kind: str,
    raw: Mapping[str, Any],
    chats: Mapping[str, ChatKeys],
    secrets: SecretReader,
    path: Path,
    *,
    open_chats: bool,
) -> tuple[dict[str, str], dict[str, SecretRef]]:
    keys = chats.get(kind)
    if keys is None and not open_chats:
        secrets.refuse(path, unknown(kind, chats, "a kind of chat"))
        return {}, {}
    options: dict[str, str] = {}
    found: dict[str, SecretRef] = {}
    for key, value in raw.items():
        name = key.removesuffix("_file")
        place = (*path, key)
        if keys is not None and name not in keys.secrets and key not in keys.options:
            known = [*keys.options, *(f"{secret}_file" for secret in keys.secrets)]
            secrets.refuse(place, unknown(key, known, f"a setting of {kind}"))
        elif name in found or (key != name and name in raw):
            secrets.refuse(place, f"say either `{name}` or `{name}_file`")
        elif key != name and (keys is None or name in keys.secrets):
            found[name] = secrets.file(value, place)
        elif (ref := reference(value)) is not None:
            found[name] = ref
        else:
            _plain(key, value, keys, secrets, place, options)
    return options, found


def _plain(
    key: str, value: object, keys: ChatKeys | None, secrets: SecretReader, path: Path, options: dict[str, str]
) -> None:
    """A plain option; a secret written where a reference is wanted is refused."""
    secret = SECRET_NAMES.search(key) is not None if keys is None else key not in keys.options
    if isinstance(value, dict | list | None) or secret or looks_secret(str(value)):
        secrets.referred(value if isinstance(value, dict) else "", key, path)
        return
    options[key] = secrets.plain_url(str(value), path) if key == "url" else str(value)
