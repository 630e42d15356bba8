"""Ten secrets of ten kinds, all in use by real processes: nothing kept, said or seen in /proc holds one."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psutil
import psycopg
import pytest
from killing import free_port
from redis import Redis
from redis.exceptions import RedisError
from serving import Served, answers, until
from worlds import World

from bot.cli.demo.sink import ChatRoom
from bot.cli.searching import Search
from bot.core.model import ChangeRef
from bot.core.redaction.sought import Sought
from bot.hosts.github.inbox import EVENTS
from bot.queues.server import find_server
from bot.wiring import Wiring

GRANTED: Final = 'canary-granted-5F0c1e7a9b/+w&"x'
KEY_BODY: Final = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7canary0e2e1a9c3d"
PRIVATE: Final = f"-----BEGIN PRIVATE KEY-----\n{KEY_BODY}\n-----END PRIVATE KEY-----"
DATABASE: Final = "canary/database+93ab77"
REDIS: Final = "canary-redis-1c44fe7733"
HOOK: Final = "canary-hook-b1e8c60d5f"
CHAT: Final = "canary-chat-08d4aa71c2"
SENSITIVE: Final = "canary-sensitive-77d1f0e2"
NO_LOG: Final = "canary-nolog-e2d1c0b9"

WAYS: Final = """\
import base64, ctypes, html, json, os, shlex, sys, urllib.parse
def put(number, data):
    while data: data = data[os.write(number, data):]
def ways(key):
    raw = key.encode()
    yield from (key, key.upper(), key.lower(), key.swapcase(), key[::-1], raw.hex(), raw.hex().upper())
    yield from (json.dumps(key), html.escape(key), urllib.parse.quote(key, safe=""), shlex.quote(key))
    for shift in range(3):
        yield base64.b64encode(b"x" * shift + raw + b"y").decode()
        yield base64.urlsafe_b64encode(b"x" * shift + raw + b"y").decode()
key, private = os.environ["GRANTED"], open(os.environ["KEY_FILE"]).read()
body = private.splitlines()[1]
"""
SHOUT: Final = """\
for one in (key, body, private):
    for text in ways(one):
        put(2, b"using " + text.encode() + b"\\n")
for one in (key.encode(), body.encode()):
    for at in range(1, len(one)):
        put(2, b"first " + one[:at]); put(2, one[at:] + b" last\\n")
"""
PLAN: Final = (
    WAYS
    + SHOUT
    + """\
spelt = base64.b64encode(key.encode()).decode()
old, new = open(os.path.join(os.environ["LIVE"], "dev_web")).read().strip(), open("wanted").read().strip()
changes = [] if old == new else [{"address": "db", "action": "update",
    "before": {"size": old}, "after": {"size": new, "note": "made with " + key, body: spelt}}]
print(json.dumps({"changes": changes}))
"""
)
APPLY: Final = (
    WAYS
    + SHOUT
    + """\
for number, other in ((1, 2), (2, 1)):
    for at in range(1, len(key)):
        put(number, key[:at].encode()); put(other, key[at:].encode() + b"\\n")
import shutil
shutil.copy("wanted", os.path.join(os.environ["LIVE"], "dev_web"))
"""
)
FAILS: Final = WAYS + 'sys.exit("cannot go on with " + " nor ".join(ways(key)) + " nor " + body)\n'
CRASHES: Final = (
    WAYS
    + """\
import resource
try: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
except (OSError, ValueError): pass
put(2, b"crashing " + key.encode() + b"\\n")
ctypes.string_at(0)
"""
)
TERRAFORM: Final = """\
terraform {
  backend "local" {
    path = "@live@/edge.tfstate"
  }
}
variable "password" {
  default   = "@sensitive@"
  sensitive = true
}
resource "terraform_data" "database" {
  input = { size = @size@, password = var.password }
}
output "password" {
  value     = terraform_data.database.output.password
  sensitive = true
}
"""
SITE: Final = """\
- name: The site
  hosts: web
  gather_facts: false
  vars_files: [settings.yml]
  tasks:
    - name: its password
      ansible.builtin.copy:
        dest: "{{ lookup('env', 'LIVE') }}/password"
        content: "{{ password }}"
        mode: "0600"
      no_log: true
    - name: its page
      ansible.builtin.copy:
        dest: "{{ lookup('env', 'LIVE') }}/page"
        content: "{{ greeting }}"
        mode: "0644"
"""
CONFIG: Final = (
    "version: 1\nprojects:\n"
    + "".join(
        f"  - {{name: {name}, path: dev/{name}, tool: command, environment: dev, "
        'plan: ["python3", "plan.py"], apply: ["python3", "apply.py"]}\n'
        for name in ("shouts", "fails", "crashes")
    )
    + "  - {name: edge, path: dev/edge, tool: terraform, environment: dev}\n"
    + "  - {name: site, path: dev/site, tool: ansible, environment: dev, playbook: site.yml, "
    "inventory: [hosts.ini]}\n"
)


def terraform(live: Path, size: int) -> str:
    return TERRAFORM.replace("@live@", str(live)).replace("@sensitive@", SENSITIVE).replace("@size@", str(size))


def settings(greeting: str) -> str:
    return f"password: {NO_LOG}\ngreeting: {greeting}\n"


def files(live: Path) -> dict[str, str]:
    """What the target branch has."""
    return {
        "dev/shouts/plan.py": PLAN,
        "dev/shouts/apply.py": APPLY,
        "dev/shouts/wanted": "a=1\n",
        "dev/fails/plan.py": FAILS,
        "dev/fails/wanted": "1\n",
        "dev/crashes/plan.py": CRASHES,
        "dev/crashes/wanted": "1\n",
        "dev/edge/main.tf": terraform(live, 1),
        "dev/site/site.yml": SITE,
        "dev/site/settings.yml": settings("hello"),
        "dev/site/hosts.ini": "[web]\nlocalhost ansible_connection=local ansible_python_interpreter=auto_silent\n",
    }


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A database of our own PostgreSQL whose owner is let in by password alone."""
    name = f"canary_{os.getpid()}"
    with psycopg.connect(host=postgres, user="headgate", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{DATABASE}'".encode())
        admin.execute(f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0".encode())
        rules = Path(postgres, "data", "pg_hba.conf")
        before = rules.read_text()
        rules.write_text(f"local {name} {name} scram-sha-256\n{before}")
        admin.execute("SELECT pg_reload_conf()")
        yield f"postgresql://{name}:{quote(DATABASE, safe='')}@/{name}?host={postgres}"
        rules.write_text(before)
        admin.execute("SELECT pg_reload_conf()")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis of our own that asks for a password and writes down whatever it is told."""
    program, _ = find_server()
    folder, port = tmp_path / "redis", free_port()
    folder.mkdir()
    (tmp_path / "redis.conf").write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {REDIS}\ndir {folder}\nsave ""\nappendonly yes\n'
        "aof-use-rdb-preamble no\n"
    )
    server = subprocess.Popen([program, str(tmp_path / "redis.conf")], stdout=subprocess.DEVNULL)
    url = f"redis://:{REDIS}@127.0.0.1:{port}/0"

    def ready() -> bool:
        with contextlib.suppress(RedisError), Redis.from_url(url) as client:
            return bool(client.ping())
        return False

    try:
        until(ready, 20, "Redis answers")
        yield url
    finally:
        server.terminate()
        server.wait(20)


class Proc:
    """Remembers every process' arguments and variables as /proc shows them, until stopped."""

    def __init__(self) -> None:
        self.arguments: set[bytes] = set()
        self.outside: set[bytes] = set()
        self.behind_walls: set[bytes] = set()
        self._ours = Path("/proc/self/ns/pid").readlink()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(0.02):
            for place in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self._look(place)

    def _look(self, place: Path) -> None:
        self.arguments.add((place / "cmdline").read_bytes())
        variables = (place / "environ").read_bytes()
        # Asked afterwards: what becomes the wall meanwhile had our own variables before, which is no harm.
        walled = (place / "ns" / "pid").readlink() != self._ours
        walled = walled or (place / "comm").read_text().strip() == "bwrap"
        (self.behind_walls if walled else self.outside).add(variables)


@contextlib.contextmanager
def cores_allowed() -> Iterator[None]:
    """What is started here may leave core files as large as the machine lets it."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def cores(place: Path) -> list[Path]:
    found = (each for each in place.rglob("core*") if each.is_file())
    return [each for each in found if each.open("rb").read(4) == b"\x7fELF"]


class Service:
    """The world with all ten in use; ``headgate serve`` around it."""

    def __init__(self, folder: Path, database: str, redis: str) -> None:
        self.folder = folder
        self.world = world = World(folder, config=CONFIG, files=files(folder / "live"))
        self.room = ChatRoom(CHAT)
        secrets = {"hook": HOOK, "chat": CHAT, "granted": GRANTED, "private": PRIVATE, "db": database, "rd": redis}
        for name, value in secrets.items():
            (folder / name).write_text(value)
        hooks, pages = free_port(), free_port()
        text = world.config.read_text().replace(world.room.url, self.room.url)
        text = text.replace('127.0.0.1:1"', f'127.0.0.1:{hooks}"').replace('127.0.0.1:2"', f'127.0.0.1:{pages}"')
        for step in ("plan", "deploy"):
            grant = "files: {KEY_FILE: {file: private}}, env: {GRANTED: {file: granted}, LIVE:"
            text = text.replace(f"{step}: {{env: {{LIVE:", f"{step}: {{{grant}")
        world.config.write_text(text + "database_file: db\nredis_file: rd\nlimits: {quiet_plan: 1s}\n")
        world.repo.add_hook(f"http://127.0.0.1:{hooks}/webhooks/github", HOOK, EVENTS)
        self.pages = f"http://127.0.0.1:{pages}"
        self.log = folder / "serve.log"
        with cores_allowed():
            self.served = Served(world.config, self.log, cwd=folder)
        self.wiring = Wiring(world.config)

    def stop(self) -> None:
        self.served.stop()
        self.room.stop()
        self.world.stop()

    def crash(self) -> None:
        """Every process of the service that is not a wall or a command: as a bad pointer in a library would."""
        family = [each for each in self.served.family() if "bot.cli" in " ".join(each.cmdline())]
        assert {each.cmdline()[-1] for each in family} >= {"web", "worker"}
        for each in family:
            each.send_signal(signal.SIGSEGV)
        psutil.wait_procs(family, 20)

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.pages + path, timeout=20) as answer:
            return bytes(answer.read())

    def open(self, branch: str, changed: dict[str, str | None]) -> Any:
        self.world.repo.commit(branch, files=changed, author="dee", message=branch)
        return self.world.repo.open_pull(branch, head=branch, author="dee")

    def told(self, pull: Any) -> dict[str, bytes]:
        """Everything that people and programs can ask for, by where."""
        ref = ChangeRef(self.world.repo_ref, pull.number)
        places = {f"comment {each.id}": each.body.encode() for each in pull.comments}
        places |= {f"check {name}": repr(each).encode() for name, each in pull.checks().items()}
        page = f"/changes/{ref.repo}/{ref.number}"
        paths = ["/", page, "/metrics", "/readyz", "/api/changes"]
        for run in self.runs(pull):
            paths += [f"{page}/runs/{run}", f"/api/runs/{run}", f"/api/runs/{run}/log"]
        return places | {path: self.get(path) for path in paths}

    def runs(self, pull: Any) -> list[str]:
        store = self.wiring.store()
        try:
            return [run.id for run in store.runs_of(ChangeRef(self.world.repo_ref, pull.number))]
        finally:
            store.close()


@pytest.fixture
def service(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Service]:
    found = Service(tmp_path, database_url, redis_url)
    yield found
    found.stop()


def leaves_cores(folder: Path) -> bool:
    """Whether a crash leaves a core file here at all: elsewhere the kernel gives them to a program."""
    folder.mkdir()
    with cores_allowed():
        subprocess.run([sys.executable, "-c", "import os; os.abort()"], cwd=folder, check=False)
    found = cores(folder)
    shutil.rmtree(folder)
    return bool(found)


@pytest.mark.slow
@pytest.mark.real_tool
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    None in (shutil.which("terraform"), shutil.which("redis-server")), reason="terraform or redis-server is missing"
)
def test_ten_canaries_in_use_by_real_processes_are_nowhere(
    service: Service, tmp_path: Path, database_url: str, redis_url: str
) -> None:
    world, live = service.world, tmp_path / "live"
    proc = Proc()
    try:
        until(lambda: answers(f"{service.pages}/readyz"), 60, "ready")
        good = service.open("works", {
            "dev/shouts/wanted": "a=2\n",
            "dev/edge/main.tf": terraform(live, 2),
            "dev/site/settings.yml": settings("good day"),
        })  # fmt: skip
        bad = service.open("breaks", {"dev/fails/wanted": "2\n", "dev/crashes/wanted": "2\n"})
        until(lambda: world.gate(good) == "success", 90, "the gate of what works")
        good.merge("dee")
        until(lambda: "Deployed by merge" in world.face(good), 90, "everything is deployed")
        until(lambda: world.face(bad).count("failed") >= 2, 60, "both failures are told")
        told = {**service.told(good), **service.told(bad)}
        service.crash()
    finally:
        proc.stop()
        service.served.stop()

    in_use(service, proc, told)
    canaries = {
        "granted variable": GRANTED,
        "private key in a file": PRIVATE,
        "database password": database_url,
        "redis password": redis_url,
        "host token": world.token,
        "webhook secret": HOOK,
        "chat secret": CHAT,
        "artifact key": (tmp_path / "data" / "artifact.key").read_text().strip(),
        "sensitive value": SENSITIVE,
        "hidden by the tool": NO_LOG,
    }
    sought = Sought(canaries)
    assert sought.unsought == frozenset()
    places = {
        **told,
        "log of the service": service.log.read_bytes(),
        "chat": json.dumps(service.room.messages).encode(),
        "arguments": b"\n".join(proc.arguments),
        "variables outside the walls": b"\n".join(proc.outside),
        **{str(path): path.read_bytes() for path in (tmp_path / "redis").rglob("*") if path.is_file()},
    }
    assert [(place, name) for place, data in places.items() for name in sorted(sought.within(data))] == []
    assert sought.within(b"\n".join(proc.behind_walls)) == {"granted variable"}
    search = Search(service.wiring, canaries)
    # A deploy's exact plan is what its tool made of these values; it is kept sealed, and found by who has the key.
    assert [each for each in search.everywhere() if not each["where"].startswith("artifact plan-")] == []
    assert search.unopened == []
    if leaves_cores(tmp_path / "control"):
        assert cores(tmp_path) == []


def in_use(service: Service, proc: Proc, told: dict[str, bytes]) -> None:
    """None is merely planted: without each of them this day would have ended otherwise."""
    live = service.folder / "live"
    assert (live / "dev_web").read_text() == "a=2\n"
    assert SENSITIVE in (live / "edge.tfstate").read_text()
    assert (live / "password").read_text() == NO_LOG
    assert {each["kind"] for each in service.room.messages} >= {"succeeded"}
    logs = b"".join(data for path, data in told.items() if path.endswith("/log"))
    assert b"first (hidden) last" in logs
    assert b"cannot go on with (hidden)" in logs
    assert b"crashing (hidden)" in logs
    assert any(b"headgate:story" in path.read_bytes() for path in (service.folder / "redis").rglob("*.aof"))
    assert b"queue: configured redis" in service.log.read_bytes()
    assert any(b"HEADGATE_CONFIG=" in each for each in proc.outside)
