"""The only module that knows concrete adapters: builds them from the operator's settings."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bot.chats import CHATS
from bot.core.config.chats import ChatKeys
from bot.core.config.server import parse_server
from bot.core.errors import ConfigError, Problem, ToolMissing
from bot.core.model import RepoRef
from bot.core.rules import ChatRoute, HostSettings, Isolation, SecretRef, Settings
from bot.credentials import Forms, Issuer, Ring
from bot.flow.services import Services
from bot.hosts import HOSTS
from bot.judges.cel import CelJudge
from bot.mirror.git import GitMirror
from bot.mirror.git import sweep as sweep_mirrors
from bot.policy_files import with_policies
from bot.ports import Chat, Confinement, Granter, Host, Queue, Sandbox, Store
from bot.sandbox.cgroup import slots
from bot.sandbox.egress import Egress
from bot.sandbox.enclosure import Enclosure, unavailable
from bot.sandbox.process import ProcessSandbox
from bot.sandbox.watchdog import Bounds
from bot.stores.artifacts import FolderVault, SealedArtifacts
from bot.stores.keyring import Keyring, bind, roots
from bot.stores.logs import StoredLog, read_log
from bot.stores.sqlstore import SqlStore
from bot.tools import TOOLS
from bot.tools.terraform import layout as terraform

CONFIG_VARIABLE: Final = "HEADGATE_CONFIG"
ENVIRONMENTS_VARIABLE: Final = "HEADGATE_ENVIRONMENTS"
"""By which a worker tells the processes of its runs which environments it serves; unset for all."""
MIRROR_BYTES: Final = 20 * 2**30
DEFAULT_CONFIG: Final = "headgate-server.yaml"


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()


class SilentQueue:
    """For processes that only read, and where no queue can be had: hints are dropped, the sweeps find the work."""

    def put(self, kind: object, key: str, *, lane: str = "") -> None:
        """Forget it."""

    def depth(self) -> Mapping[str, int]:
        """Nothing waits here."""
        return {}

    def ping(self) -> str:
        """What is behind it, in words."""
        return "none; the sweeps find all work"


# ------------------------------------------------------------------------------------------ settings


def config_path(given: str = "") -> Path:
    """Where the operator's file is: as given, else the environment's word, else the present directory."""
    return Path(given or os.environ.get(CONFIG_VARIABLE, "") or DEFAULT_CONFIG)


def load_settings(path: Path) -> Settings:
    """The operator's settings. Raises ConfigError listing every problem at once."""
    try:
        text = path.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError((Problem(str(path), 0, "", f"cannot be read: {why}"),)) from None
    parsed = checked_settings(text, str(path))
    settings = with_policies(parsed, path) if isinstance(parsed, Settings) else parsed
    if isinstance(settings, Settings):
        return settings
    raise ConfigError(settings)


def checked_settings(text: bytes, file: str) -> Settings | tuple[Problem, ...]:
    """The operator's settings, judged with the hosts and chats there are; or everything that is wrong."""
    keys = {name: ChatKeys(kind.options, kind.secrets) for name, kind in CHATS.items()}
    return parse_server(text, file, hosts=tuple(HOSTS), chats=keys)


def read_secret(ref: SecretRef, base: Path) -> str:
    """The secret itself, read now. Raises ConfigError naming the place, never the value."""
    try:
        return read_secret_bytes(ref, base).decode().strip()
    except UnicodeDecodeError:
        pass
    raise ConfigError((Problem(str(base / ref.where), 0, "", "this secret cannot be read: it is not text in UTF-8"),))


def read_secret_bytes(ref: SecretRef, base: Path) -> bytes:
    """The same, to the last byte."""
    if ref.kind == "env":
        value = os.environ.get(ref.where, "")
        if not value:
            raise ConfigError((Problem("environment", 0, ref.where, "this variable is not set"),))
        return os.fsencode(value)
    path = base / ref.where
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
    raise ConfigError((Problem(str(path), 0, "", f"this secret cannot be read: {why}"),))


def data_directory(settings: Settings, path: Path) -> Path:
    """Where everything that is kept on disk goes (0700). Raises ConfigError when it cannot be made."""
    data = Path(settings.data).expanduser() if settings.data else Path("~/.local/share/headgate").expanduser()
    data = data if data.is_absolute() else path.parent.absolute() / data
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError((Problem(str(path), 0, "data", f"{data} cannot be made: {why}"),)) from None
    return data


# ---------------------------------------------------------------------------------------- the pieces


class Wiring:
    """One process's adapters, each made when it is first needed."""

    def __init__(
        self,
        path: Path,
        settings: Settings | None = None,
        environments: Collection[str] | None = None,
        clock: SystemClock | None = None,
    ) -> None:
        self.path = path.absolute()
        self.settings = settings or load_settings(path)
        self.environments = frozenset(environments) if environments else None
        if self.environments is not None:
            self.settings = self.settings.serving(self.environments)
        self.data = data_directory(self.settings, self.path)
        self.clock = clock or SystemClock()
        self._mirrors: dict[RepoRef, GitMirror] = {}
        self._keyring: Keyring | None = None
        self._lock = threading.Lock()

    def secret(self, ref: SecretRef) -> str:
        """A secret, read now."""
        return read_secret(ref, self.path.parent)

    def store(self) -> SqlStore:
        """The store, not migrated. Raises ConfigError for a URL that names none."""
        settings = self.settings
        if settings.database_secret is not None:
            url = self.secret(settings.database_secret)
        else:
            url = settings.database or f"sqlite:///{self.data / 'headgate.db'}"
        try:
            return SqlStore(url, self.clock, durability=settings.durability)
        except ValueError as error:
            raise ConfigError((Problem(str(self.path), 0, "database", str(error)),)) from None

    def keyring(self) -> Keyring:
        """The installation's keys: configured, else made once in the data directory. One for the whole process."""
        with self._lock:
            if self._keyring is None:
                ref = self.settings.artifact_key
                if ref is None:
                    self._keyring = Keyring(self.data / "artifact.key")
                else:
                    self._keyring = (
                        Keyring(env=ref.where) if ref.kind == "env" else Keyring(self.path.parent / ref.where)
                    )
            return self._keyring

    def folder(self) -> FolderVault | None:
        """Where artifacts are kept; None for the store."""
        return FolderVault(Path(self.settings.artifacts)) if self.settings.artifacts != "database" else None

    def hosts(self) -> dict[str, Host]:
        """Every host of the settings, by its name."""
        return {name: self._host(host) for name, host in self.settings.hosts.items()}

    def _host(self, host: HostSettings) -> Host:
        return HOSTS[host.kind](host, self.secret, self.settings.instance, self.clock.seconds)

    def chats(self) -> dict[str, Chat]:
        """Every chat route's destination, by the route's name."""
        return {route.name: self._chat(route) for route in self.settings.chat}

    def _chat(self, route: ChatRoute) -> Chat:
        return CHATS[route.kind].make(route.options, lambda name: self.secret(route.secrets[name]))

    def mirror(self, hosts: Mapping[str, Host], repo: RepoRef) -> GitMirror:
        """The bare mirror of a repository; one per process."""
        with self._lock:
            if repo not in self._mirrors:
                host = hosts[repo.host]
                place = self.data / "mirrors" / repo.host / (repo.path.replace("/", "__") + ".git")
                self._mirrors[repo] = GitMirror(
                    place, host.clone_url(repo), lambda: host.git_credentials(repo), host.change_name
                )
            return self._mirrors[repo]

    def ring(self, store: Store) -> Ring:
        """The keys that sign id tokens."""
        return Ring(store, self.keyring, self.clock.now)

    def credentials(self, store: Store) -> Granter:
        """What turns a grant into credentials, its secrets read at that moment."""
        base, url = self.path.parent, self.settings.issuer
        return Forms(
            read=lambda ref: read_secret_bytes(ref, base),
            now=self.clock.now,
            base=base,
            issuer=Issuer(url, self.ring(store).sign) if url else None,
        )

    def sandbox(self, wanted: Confinement) -> Sandbox:
        """What a run's commands are executed with. Raises ToolMissing where they must be isolated and cannot be."""
        rules = self.settings.sandbox
        problem = "isolation is off (`sandbox.isolation`)" if rules.isolation is Isolation.OFF else unavailable()
        if problem and (wanted.untrusted or rules.isolation is Isolation.REQUIRED):
            raise ToolMissing(f"not run, because commands cannot be isolated here: {problem}")
        enclosure = egress = None
        if not problem:
            enclosure = Enclosure(
                run_id=wanted.run_id,
                tree=wanted.tree,
                readable=(*wanted.readable, *(Path(each) for each in (*rules.readable, *self._program_folders()))),
                writable=wanted.writable,
                host_network=wanted.network.host,
            )
            places = wanted.network.destinations
            egress = Egress(places, wanted.log) if places and not wanted.network.host else None
        return ProcessSandbox(
            log=wanted.log,
            redactor=wanted.redactor,
            cancelled=wanted.stopped,
            path=self.settings.path,
            enclosure=enclosure,
            bounds=Bounds(rules.processes, rules.memory, rules.disk),
            egress=egress,
        )

    def _program_folders(self) -> list[str]:
        """Where the operator said that tools are; the system's own directories are seen anyway."""
        return [
            each for each in self.settings.path.split(":") if each.startswith("/") and not each.startswith("/usr/")
        ]

    def services(self, queue: Queue | None = None, store: SqlStore | None = None) -> Services:
        """Everything the flow needs."""
        store = store or self.store()
        keyring = self.keyring()
        bind(store, *keyring.keys())
        root = roots(store, *keyring.keys())
        hosts = self.hosts()
        return Services(
            settings=self.settings,
            clock=self.clock,
            store=store,
            queue=queue or SilentQueue(),
            hosts=hosts,
            tools={name: make() for name, make in TOOLS.items()},
            chats=self.chats(),
            artifacts=SealedArtifacts(self.folder() or store, keyring),
            effects_key=root.effects,
            audit_key=root.audit,
            mirror=lambda repo: self.mirror(hosts, repo),
            log=lambda run_id: StoredLog(store, keyring, run_id, keep_bytes=self.settings.limits.log_bytes),
            sandbox=self.sandbox,
            credentials=self.credentials(store),
            judge=CelJudge(),
            data=self.data,
            environments=self.environments,
            identity=identity(),
        )

    def log_reader(self, store: SqlStore) -> Callable[[str, int], tuple[str, int, bool]]:
        """Reads a run's growing log: (run id, after which piece) -> (text, last piece, False)."""
        keyring = self.keyring()

        def read(run_id: str, after: int) -> tuple[str, int, bool]:
            pieces = read_log(store, keyring, run_id, after)
            last = pieces[-1][0] if pieces else after
            return "".join(text for _, text in pieces), last, False

        return read

    def tidy(self) -> None:
        """Bound what this machine's disk holds: mirrors by size, checkouts of runs that were killed by age."""
        sweep_mirrors(self.data / "mirrors", MIRROR_BYTES)
        oldest = time.time() - 2 * self.settings.limits.deploy_timeout
        for left in (self.data / "runs").glob("run-*"):
            if left.stat().st_mtime < oldest:
                shutil.rmtree(left, ignore_errors=True)

    def mirrors_close(self) -> None:
        """Stop the mirrors' helper processes."""
        for mirror in self._mirrors.values():
            mirror.close()


def warm_up() -> None:
    """Load what is slow to load the first time, and find out once what commands can be run with, so that no run's
    own process has to."""
    terraform.warm_up()
    unavailable()
    slots()


def identity() -> str:
    """Names this thread of this process among all that share a store."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}"


def rehearse(services: Services) -> None:
    """Let the store compile what a run's own process will say to it. Leaves no connection open: it could not be
    used in processes forked from this one. Raises StoreDown."""
    store = services.store
    if isinstance(store, SqlStore):
        try:
            store.rehearse()
        finally:
            store.close()


def build_from_environment() -> Services:
    """For a run's own process: the same settings its worker was started with."""
    names = os.environ.get(ENVIRONMENTS_VARIABLE, "")
    return Wiring(config_path(), environments=names.split(",") if names else None).services()
