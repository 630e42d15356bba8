"""The operator's file: every problem at once, or valid settings. Reads no secret and no file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from bot.core.ci import CheckRule, check_rules
from bot.core.config.chats import KNOWN_CHATS, ChatKeys, chat_routes
from bot.core.config.digest import with_digest
from bot.core.config.document import Document, Path, load
from bot.core.config.grants import read_grant, read_issuer
from bot.core.config.guard import guard_rules
from bot.core.config.scalars import seconds, size
from bot.core.config.schema import checked, ordered, published, unknown
from bot.core.config.secrets import SecretReader
from bot.core.destinations import parse as parse_destination
from bot.core.errors import Problem
from bot.core.guard.rules import GuardRules
from bot.core.match import Glob, is_literal
from bot.core.model import RepoRef
from bot.core.policy.windows import read_window
from bot.core.project import DeployMode
from bot.core.rules import (
    CALLS_PER_MINUTE,
    ChatRoute,
    Environment,
    HostSettings,
    Isolation,
    Limits,
    Listen,
    Mode,
    Network,
    RepoRules,
    SandboxRules,
    SecretRef,
    Settings,
    Survival,
)

SERVER_FILE: Final = "headgate-server.yaml"
HOST_KINDS: Final = ("github", "gitlab", "gitea", "forgejo")
"""Kinds of host known when the caller does not say which there are."""
MAX_PORT: Final = 65535

_DURATIONS = frozenset(
    {"plan_timeout", "deploy_timeout", "lease", "advance_lease", "shutdown_grace", "quiet_plan", "reminder"}
)
_SIZES = frozenset({"log_bytes", "checkout_bytes"})


def parse_server(
    text: str | bytes,
    file: str = SERVER_FILE,
    *,
    hosts: Collection[str] = HOST_KINDS,
    chats: Mapping[str, ChatKeys] | None = None,
) -> Settings | tuple[Problem, ...]:
    """Settings, or everything that is wrong.

    ``hosts`` are the kinds of host there are; ``chats`` the kinds of chat with the keys each knows. Without
    ``chats`` the shipped ones are checked, and the keys of any other kind are taken as they come.
    """
    document = load(text, file)
    if not isinstance(document, Document):
        return document
    raw, problems = checked(document, published("headgate-server"))
    reader = _Reader(document, raw, hosts, KNOWN_CHATS if chats is None else chats, open_chats=chats is None)
    settings = reader.settings()
    problems.extend(reader.problems)
    return ordered(problems) if problems else settings


def rules_for(settings: Settings, repo: RepoRef) -> RepoRules | None:
    """The operator's rules for a repository: of all entries that match, the last one listed, whole. None for one that
    no entry matches, and for one that is denied."""
    if denied(settings, repo):
        return None
    name = str(repo)
    matching = (rules for rules in reversed(settings.repositories) if Glob.of(rules.match).matches(name))
    return next(matching, None)


def denied(settings: Settings, repo: RepoRef) -> bool:
    """Whether the operator never wants it looked after, whatever the entries say."""
    return any(Glob.of(pattern).matches(str(repo)) for pattern in settings.deny)


def listed_repositories(settings: Settings, host: str) -> tuple[RepoRef, ...]:
    """Repositories of a host that are named in full (patterns name none), as listed."""
    found = (RepoRef.parse(rules.match) for rules in settings.repositories if Glob.of(rules.match).literal)
    return tuple(dict.fromkeys(repo for repo in found if repo.host == host and not denied(settings, repo)))


def names_by_pattern(settings: Settings, host: str) -> bool:
    """Whether an entry may name repositories of a host without spelling them out."""
    entries = (Glob.of(rules.match) for rules in settings.repositories)
    return any(not glob.literal and glob.prefix.partition("/")[0] in ("", host) for glob in entries)


def looked_after(settings: Settings, host: str, shown: Iterable[RepoRef]) -> tuple[RepoRef, ...]:
    """Repositories of a host that are named in full, then those of ``shown`` that an entry matches. Hosts tell no
    difference between large and small letters, so neither makes two of one."""
    named = listed_repositories(settings, host)
    known = {str(repo).lower() for repo in named}
    found = (repo for repo in shown if str(repo).lower() not in known and rules_for(settings, repo) is not None)
    return (*named, *dict.fromkeys(found))


class _Reader:
    """Raw values of the right shape -> settings. Sections that are not there get their defaults."""

    def __init__(
        self,
        document: Document,
        raw: dict[str, Any],
        hosts: Collection[str],
        chats: Mapping[str, ChatKeys],
        *,
        open_chats: bool,
    ) -> None:
        self._raw = raw
        self._document = document
        self._kinds = hosts
        self._chats, self._open_chats = chats, open_chats
        self._secrets = SecretReader(document)
        self._own: list[Problem] = []
        self._guard = self._guarding(raw.get("guard", {}), ("guard",))
        self._issuer = read_issuer(raw.get("identity", {}), self._secrets)

    @property
    def problems(self) -> list[Problem]:
        return [*self._own, *self._secrets.problems]

    def _refuse(self, path: Path, message: str) -> None:
        self._own.append(self._document.problem(path, message))

    def settings(self) -> Settings:
        """Everything; only meaningful when there are no problems."""
        raw = self._raw
        database, database_secret = self._secrets.url(raw, "database")
        redis, redis_secret = self._secrets.url(raw, "redis")
        environments = {name: self._environment(name, each) for name, each in raw.get("environments", {}).items()}
        self._order(environments)
        listen = self._listen(Listen(**raw.get("listen", {})))
        return Settings(
            instance=raw.get("instance", "headgate"),
            data=raw.get("data", ""),
            database=database,
            database_secret=database_secret,
            redis=redis,
            redis_secret=redis_secret,
            durability=raw.get("durability", "kill"),
            artifact_key=self._secrets.one(raw, "artifact_key", ()),
            artifacts=raw.get("artifacts", "database"),
            listen=listen,
            hosts={
                name: self._host(name, section, listen.webhook_url(name))
                for name, section in raw.get("hosts", {}).items()
            },
            repositories=self._repositories(environments),
            deny=self._deny(),
            environments=environments,
            issuer=self._issuer,
            chat=self._chat(),
            policies=tuple(raw.get("policies", ())),
            limits=_limits(raw.get("limits", {})),
            sandbox=_sandbox(raw.get("sandbox", {})),
            guard=self._guard,
            path=raw.get("path", ""),
        )

    def _listen(self, listen: Listen) -> Listen:
        """Two ports: which service was asked is told by the port, and the pages are the private one."""
        ports = {name: int(getattr(listen, name).rpartition(":")[2]) for name in ("webhooks", "pages")}
        for name, port in ports.items():
            if not 0 < port <= MAX_PORT:
                self._refuse(("listen", name), f"a port is a number from 1 to {MAX_PORT}")
        if ports["webhooks"] == ports["pages"]:
            self._refuse(("listen", "pages"), "needs another port than `webhooks`")
        return listen

    def _host(self, name: str, raw: dict[str, Any], webhook_url: str) -> HostSettings:
        path = ("hosts", name)
        kind = raw.get("type", name)
        if kind not in self._kinds:
            where = (*path, "type") if "type" in raw else path
            add = "" if "type" in raw else " Add `type:` when the section has a name of your own."
            self._refuse(where, unknown(kind, self._kinds, "a kind of host") + add)
        app_key = self._secrets.one(raw, "app_key", path)
        if ("app_id" in raw) != (app_key is not None):
            self._refuse(path, "`app_id` and `app_key_file` go together")
        poll = raw.get("poll", "off")
        return HostSettings(
            name=name,
            kind=kind,
            url=self._secrets.plain_url(raw.get("url", ""), (*path, "url")),
            token=self._secrets.one(raw, "token", path),
            app_id=raw.get("app_id", 0),
            app_key=app_key,
            webhook_secrets=self._webhook_secrets(raw, path),
            poll=timedelta(seconds=seconds(poll)) if poll not in ("off", 0) else None,
            calls_per_minute=raw.get("calls_per_minute", CALLS_PER_MINUTE),
            webhook_url=webhook_url,
        )

    def _webhook_secrets(self, raw: dict[str, Any], path: tuple[str, str]) -> tuple[SecretRef, ...]:
        first = self._secrets.one(raw, "webhook_secret", path)
        files = raw.get("webhook_secret_files", [])
        more = [self._secrets.file(each, (*path, "webhook_secret_files", i)) for i, each in enumerate(files)]
        return (*([first] if first else []), *more)

    def _repositories(self, environments: Mapping[str, Environment]) -> tuple[RepoRules, ...]:
        raw = self._raw.get("repositories", [])
        return tuple(with_digest(self._rules(each, i), environments) for i, each in enumerate(raw))

    def _deny(self) -> tuple[str, ...]:
        patterns = tuple(self._raw.get("deny", ()))
        for number, pattern in enumerate(patterns):
            if why := Glob.flaw(pattern):
                self._refuse(("deny", number), why)
            elif pattern.startswith("!"):
                self._refuse(("deny", number), "takes nothing back: leave it out, or list less")
        return patterns

    def _rules(self, raw: dict[str, Any], number: int) -> RepoRules:
        path = ("repositories", number)
        host = raw["match"].partition("/")[0]
        hosts = self._names("hosts")
        if hosts and is_literal(host) and host not in hosts:
            self._refuse((*path, "match"), unknown(host, hosts, "one of your hosts"))
        granted = {name: _texts(globs) for name, globs in raw.get("environments", {}).items()}
        if self._names("environments"):
            # Without a word about it an environment has no gate at all, so a slip of the finger must not make one.
            for name in granted:
                self._known_environment(name, (*path, "environments", name))
        for name, globs in granted.items():
            for position, glob in enumerate(globs):
                if why := Glob.flaw(glob):
                    self._refuse((*path, "environments", name, position), why)
        return RepoRules(
            match=raw["match"],
            mode=Mode(raw.get("mode", "enforce")),
            branches=tuple(raw.get("branches", ())),
            environments=granted,
            merge_method=raw.get("merge_method", "merge"),
            auto_merge=raw.get("auto_merge", False),
            max_projects=raw.get("max_projects", 50),
            guard=self._guard,
        )

    def _names(self, section: str) -> Collection[str]:
        """The names in a section as written, whatever else is wrong with them."""
        value = self._document.value
        found = value.get(section) if isinstance(value, dict) else None
        return found if isinstance(found, dict) else ()

    def _known_environment(self, name: str, path: Path) -> None:
        known = self._names("environments")
        if name not in known:
            self._refuse(path, unknown(name, known, "one of your environments"))

    def _order(self, environments: Mapping[str, Environment]) -> None:
        for name, environment in environments.items():
            for position, before in enumerate(environment.after):
                self._known_environment(before, ("environments", name, "after", position))
            if circle := _circle(name, environments):
                self._refuse(("environments", name, "after"), "goes round in a circle: " + " → ".join(circle))

    def _environment(self, name: str, raw: dict[str, Any]) -> Environment:
        deploy = raw.get("deploy", {})
        for position, pattern in enumerate(raw.get("volatile", ())):
            if ":" not in pattern:
                self._refuse(("environments", name, "volatile", position), "must be `ADDRESS-GLOB:ATTRIBUTE-GLOB`")
        return Environment(
            name=name,
            approvals=raw.get("approvals", 0),
            required_checks=self._checks(raw, ("environments", name, "required_checks")),
            after=tuple(raw.get("after", ())),
            survive=Survival(raw.get("survive", "same_head")),
            deploy=DeployMode(deploy.get("mode", "on_merge")),
            volatile=tuple(raw.get("volatile", ())),
            windows=self._windows(raw, name, "windows"),
            freezes=self._windows(raw, name, "freezes"),
            freeze_label=raw.get("freeze_label", ""),
            freeze_merges=raw.get("freeze_merges", False),
            plan=read_grant(raw.get("plan", {}), ("environments", name, "plan"), self._secrets, self._issuer),
            apply=read_grant(deploy, ("environments", name, "deploy"), self._secrets, self._issuer),
            network=self._network(raw.get("network", False), ("environments", name, "network")),
            guard=self._guarding(raw["guard"], ("environments", name, "guard")).over(self._guard)
            if "guard" in raw
            else None,
        )

    def _windows(self, raw: dict[str, Any], name: str, key: str) -> tuple[dict[str, str], ...]:
        def at(number: int) -> Callable[[Path, str], None]:
            return lambda place, why: self._refuse(("environments", name, key, number, *place), why)

        for number, each in enumerate(raw.get(key, ())):
            read_window(each, at(number))
        return tuple(raw.get(key, ()))

    def _checks(self, raw: dict[str, Any], path: Path) -> tuple[CheckRule, ...]:
        return check_rules(raw.get("required_checks", ()), lambda position, why: self._refuse((*path, position), why))

    def _guarding(self, raw: dict[str, Any], path: tuple[str, ...]) -> GuardRules:
        rules, flaws = guard_rules(raw)
        for place, why in flaws:
            self._refuse((*path, *place), why)
        return rules

    def _network(self, raw: str | bool | list[str], path: Path) -> Network:
        if not isinstance(raw, list):
            return Network(host=raw == "host")
        found = []
        for position, text in enumerate(raw):
            destination = parse_destination(text)
            if destination is None:
                self._refuse(
                    (*path, position),
                    "must be `HOST[:PORT]`, for example `registry.example.com` or `*.example.com:8443`",
                )
            else:
                found.append(destination)
        return Network(destinations=tuple(found))

    def _chat(self) -> tuple[ChatRoute, ...]:
        raw = self._raw.get("chat", [])
        for number, route in enumerate(raw):
            for position, name in enumerate(route.get("environments", ())):
                self._known_environment(name, ("chat", number, "environments", position))
        return chat_routes(raw, self._chats, self._secrets, open_chats=self._open_chats)


def _circle(start: str, environments: Mapping[str, Environment]) -> tuple[str, ...]:
    """The way from an environment back to itself along ``after``; empty when there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for name in environments[way[-1]].after:
            if name == start:
                return (*way, start)
            if name in environments and name not in seen:
                seen.add(name)
                ways.append((*way, name))
    return ()


def _texts(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _sandbox(raw: dict[str, Any]) -> SandboxRules:
    read: dict[str, int] = {name: size(raw[name]) for name in ("memory", "disk") if name in raw}
    if "processes" in raw:
        read["processes"] = raw["processes"]
    isolation, readable = Isolation(raw.get("isolation", "required")), tuple(raw.get("readable", ()))
    return SandboxRules(isolation=isolation, readable=readable, **read)


def _limits(raw: dict[str, Any]) -> Limits:
    read: dict[str, Any] = {}
    for name, value in raw.items():
        read[name] = seconds(value) if name in _DURATIONS else size(value) if name in _SIZES else value
    return Limits(**read)
