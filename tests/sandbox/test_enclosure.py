"""Commands behind walls: what they cannot see, reach, leave behind or take."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from bot.core.destinations import Destination
from bot.core.errors import ToolFailed, ToolKilled
from bot.core.redaction import Redactor
from bot.ports import Executed, Execution
from bot.sandbox.cgroup import bounds_processes
from bot.sandbox.egress import Egress
from bot.sandbox.enclosure import Enclosure, bubblewrap, unavailable
from bot.sandbox.process import ProcessSandbox
from bot.sandbox.watchdog import Bounds

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=f"no isolation here: {unavailable()}")
PYTHON = sys.executable


@dataclass
class Walled:
    """A run's sandbox around a tree."""

    place: Path
    bounds: Bounds = Bounds()
    destinations: tuple[Destination, ...] = ()
    host_network: bool = False
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    pieces: list[str] = field(default_factory=list)
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def tree(self) -> Path:
        return self.place / "tree"

    @property
    def log(self) -> str:
        return "".join(self.pieces)

    def run(self, code: str, *words: str, **options: object) -> Executed:
        return self.execute((PYTHON, "-c", code, *words), **options)

    def execute(self, argv: tuple[str, ...], **options: object) -> Executed:
        self.tree.mkdir(exist_ok=True)
        given: dict[str, object] = {"cwd": self.tree, "env": {}, "timeout": 30.0, "network": True, **options}
        egress = Egress(self.destinations, self.pieces.append) if self.destinations else None
        sandbox = ProcessSandbox(
            log=self.pieces.append,
            redactor=Redactor(()),
            cancelled=self.cancel.is_set,
            enclosure=Enclosure("run-1", self.tree, self.readable, self.writable, self.host_network),
            bounds=self.bounds,
            egress=egress,
        )
        return sandbox.run(Execution(argv=argv, **given))  # type: ignore[arg-type]


@pytest.fixture
def walled(tmp_path: Path) -> Callable[..., Walled]:
    return lambda **options: Walled(tmp_path, **options)


def test_it_sees_its_tree_and_a_read_only_system_and_no_file_of_ours(walled: Callable[..., Walled]) -> None:
    box = walled()
    secret = box.place / "artifact.key"
    secret.write_text("key")
    code = (
        "import json, os, sys\n"
        "open('made', 'w').write('x')\n"
        "def refused(path):\n"
        "    try: open(path, 'w'); return False\n"
        "    except OSError: return True\n"
        "print(json.dumps([os.path.exists(sys.argv[1]), refused('/usr/x'), refused('/etc/x'), refused('/x'),"
        " refused('/dev/x'), sorted(os.listdir('/')), os.path.exists('/root/.bashrc'), os.path.exists('/var')]))\n"
    )

    done = box.run(code, str(secret))

    assert done.code == 0, done.stderr
    seen, *rest, top, roots, var = json.loads(done.stdout)
    assert (seen, roots, var) == (False, False, False)
    assert all(rest)
    assert {"bin", "dev", "etc", "proc", "tmp", "usr"} <= set(top)
    assert (box.tree / "made").read_text() == "x"


def test_it_sees_a_python_and_not_what_somebody_keeps_in_the_folder_of_its_virtual_environment(
    walled: Callable[..., Walled],
) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="token-", dir=sys.prefix) as token:
        token.write("key")
        token.flush()
        done = walled().run("import os, sys, yaml; print(os.path.exists(sys.argv[1]))", token.name)

    assert done.stdout == b"False\n", done.stderr


def test_it_has_no_privilege_no_host_name_and_no_process_but_its_own(walled: Callable[..., Walled]) -> None:
    code = (
        "import json, os, socket\n"
        "status = dict(l.split(':', 1) for l in open('/proc/self/status').read().splitlines())\n"
        "print(json.dumps([os.getuid(), status['CapBnd'].strip(), status['NoNewPrivs'].strip(),"
        " status['Seccomp'].strip(), socket.gethostname(), sum(p.isdigit() for p in os.listdir('/proc'))]))\n"
    )

    done = walled().run(code)

    assert json.loads(done.stdout) == [1000, "0" * 16, "1", "2", "run-1", 2]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("a new user namespace", "libc.unshare(0x10000000)"),
        ("a new mount namespace", "libc.unshare(0x20000)"),
        ("mount", "libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)"),
        ("ptrace", "libc.ptrace(0, 0, 0, 0)"),
        ("keyctl", "libc.syscall(250, 0, 0)"),
        ("bpf", "libc.syscall(321, 0, 0, 0)"),
        ("perf_event_open", "libc.syscall(298, 0, 0, 0, 0, 0)"),
        ("io_uring_setup", "libc.syscall(425, 1, 0)"),
        ("setns", "libc.setns(0, 0)"),
        ("TIOCSTI", "libc.ioctl(0, 0x5412, b'x')"),
    ],
)
def test_calls_that_no_tool_needs_are_refused(walled: Callable[..., Walled], name: str, call: str) -> None:
    code = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint({call}, ctypes.get_errno())"

    assert walled().run(code).stdout.split() == [b"-1", b"1"], name


def test_sockets_are_of_the_families_that_walls_hold(walled: Callable[..., Walled]) -> None:
    """AF_VSOCK leads to the hypervisor from every network namespace."""
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "for family in (1, 2, 10, 16, 40, 38, 17, 44, 0, 2**31):\n"
        "    ctypes.set_errno(0)\n"
        "    print(libc.socket(family, 2, 0) >= 0, ctypes.get_errno())\n"
    )

    assert walled().run(code).stdout.splitlines() == [b"True 0"] * 4 + [b"False 97"] * 6


def test_nothing_of_the_environment_is_inherited(
    walled: Callable[..., Walled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTSIDE", "canary")

    done = walled().run(
        "import os; print(sorted(os.environ)); print(open('/proc/1/environ').read())", env={"GIVEN": "1"}
    )

    assert b"GIVEN" in done.stdout
    assert b"OUTSIDE" not in done.stdout


def test_nobody_is_left_behind_not_even_who_left_the_session(walled: Callable[..., Walled]) -> None:
    mark = f"left-{os.getpid()}-{time.monotonic_ns()}"
    code = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        os.close(0); os.close(1); os.close(2)\n"
        "        time.sleep(60)\n"
        "    os._exit(0)\n"
    )

    walled().run(code, mark)

    left = [each.pid for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or [])]
    assert left == []


def test_a_gentle_signal_reaches_the_command_before_the_walls_fall(walled: Callable[..., Walled]) -> None:
    box = walled()
    code = (
        "import signal, sys, time\n"
        "def tidy(*_): open('tidied', 'w').write('x'); sys.exit(7)\n"
        "signal.signal(signal.SIGINT, tidy)\n"
        "open('ready', 'w').write('x')\n"
        "time.sleep(60)\n"
    )
    box.tree.mkdir()
    threading.Thread(target=_when, args=(box.tree / "ready", box.cancel.set), daemon=True).start()

    done = box.run(code, grace=10.0)

    assert (done.code, done.cancelled) == (7, True)
    assert (box.tree / "tidied").exists()


def _when(path: Path, then: Callable[[], None]) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    then()


@pytest.mark.parametrize(
    ("bounds", "code", "words"),
    [
        (
            Bounds(processes=50, kernel=False),
            "import os, time\nfor _ in range(80): os.fork() or time.sleep(60)\ntime.sleep(60)",
            "processes",
        ),
        (Bounds(memory=300 * 2**20, kernel=False), "x = []\nwhile True: x.append(b'x' * 2**22)", "memory"),
        (
            Bounds(disk=64 * 2**20),
            "n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(b'x' * 2**24); n += 1",
            "wrote more",
        ),
        (
            Bounds(disk=64 * 2**20),
            "import os\nheld = []\nfor n in range(12):\n"
            "    held.append(open('f', 'wb')); os.unlink('f'); held[n].write(b'x' * 2**23)\n"
            "import time; time.sleep(60)",
            "wrote more",
        ),
    ],
    ids=["processes", "memory", "disk", "disk without names"],
)
def test_what_takes_too_much_is_ended(walled: Callable[..., Walled], bounds: Bounds, code: str, words: str) -> None:
    box = walled(bounds=bounds)

    done = box.run(code, timeout=60.0)

    assert words in done.exceeded
    assert words in box.log
    assert not done.timed_out


@pytest.mark.skipif(not bounds_processes(), reason="no control group for processes can be made here")
def test_the_kernel_itself_refuses_one_process_too_many(walled: Callable[..., Walled]) -> None:
    """Whoever forks faster than anybody looks is stopped all the same. Bounded, should it not be."""
    code = (
        "import os, time\nmade = 0\n"
        "try:\n    while made < 300:\n        made += 1\n        os.fork() or (time.sleep(20), os._exit(0))\n"
        "except OSError: pass\nprint(made)"
    )

    done = walled(bounds=Bounds(processes=40)).run(code)

    assert 0 < int(done.stdout or b"40") <= 40


@pytest.mark.skipif(not bounds_processes(), reason="no control group can be made here")
def test_the_kernel_itself_ends_what_takes_too_much_memory(walled: Callable[..., Walled]) -> None:
    done = walled(bounds=Bounds(memory=300 * 2**20)).run("x = []\nfor _ in range(500): x.append(b'x' * 2**21)")

    assert "memory" in done.exceeded


def test_one_file_cannot_outgrow_the_disk_bound(walled: Callable[..., Walled]) -> None:
    box = walled(bounds=Bounds(disk=8 * 2**20))

    done = box.run("f = open('big', 'wb')\nfor _ in range(64): f.write(b'x' * 2**20)")

    assert done.code != 0
    assert (box.tree / "big").stat().st_size <= 8 * 2**20


def test_where_it_starts_is_seen_but_no_more_writable_than_it_was_granted(walled: Callable[..., Walled]) -> None:
    box = walled()
    scratch = box.place / "scratch"
    scratch.mkdir()

    assert box.run("import os; print(os.getcwd())", cwd=scratch).stdout.decode().strip() == str(scratch)
    assert box.run("open('x', 'w')", cwd=scratch).code != 0


# -------------------------------------------------------------------------------------------- network

REACH = (
    "import socket, sys\n"
    "try: s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3); print(s.recv(5).decode())\n"
    "except OSError: print('unreachable')\n"
)
THROUGH = (
    "import os, socket, sys\n"
    "host, port = os.environ['https_proxy'].removeprefix('http://').split(':')\n"
    "s = socket.create_connection((host, int(port)), 5)\n"
    "s.sendall(f'CONNECT {sys.argv[1]} HTTP/1.1\\r\\n\\r\\n'.encode())\n"
    "answer = b''\n"
    "while piece := s.recv(4096): answer += piece\n"
    "head, _, rest = answer.partition(b'\\r\\n\\r\\n')\n"
    "print(head.split()[1].decode(), rest.decode())\n"
)


@pytest.fixture
def greeter() -> Callable[[], int]:
    """A service on this machine that says hello."""
    made: list[socket.socket] = []

    def make() -> int:
        door = socket.create_server(("127.0.0.1", 0))
        made.append(door)

        def serve() -> None:
            while True:
                try:
                    inside, _ = door.accept()
                except OSError:
                    return
                inside.sendall(b"hello")
                inside.close()

        threading.Thread(target=serve, daemon=True).start()
        return int(door.getsockname()[1])

    yield make  # type: ignore[misc]
    for door in made:
        door.shutdown(socket.SHUT_RDWR)
        door.close()


def test_without_a_grant_there_is_no_network(walled: Callable[..., Walled], greeter: Callable[[], int]) -> None:
    assert walled().run(REACH, "127.0.0.1", str(greeter())).stdout == b"unreachable\n"


def test_the_workers_own_network_is_there_when_the_operator_said_so_and_the_command_needs_it(
    walled: Callable[..., Walled], greeter: Callable[[], int]
) -> None:
    box = walled(host_network=True)
    port = str(greeter())

    assert box.run(REACH, "127.0.0.1", port).stdout == b"hello\n"
    assert box.run(REACH, "127.0.0.1", port, network=False).stdout == b"unreachable\n"


def test_a_listed_destination_is_reached_through_the_proxy_and_no_other(
    walled: Callable[..., Walled], greeter: Callable[[], int]
) -> None:
    listed, other = greeter(), greeter()
    box = walled(destinations=(Destination("127.0.0.1", listed), Destination("169.254.169.254", 80)))

    assert box.run(THROUGH, f"127.0.0.1:{listed}").stdout == b"200 hello\n"
    assert box.run(THROUGH, f"127.0.0.1:{other}").stdout == b"403 \n"
    assert box.run(THROUGH, f"localhost:{listed}").stdout == b"403 \n"
    assert box.run(THROUGH, "169.254.169.254:80").stdout == b"403 \n"
    assert box.run(REACH, "127.0.0.1", str(listed)).stdout == b"unreachable\n"
    assert f"no connection to 127.0.0.1:{other}: the operator did not list it" in box.log
    assert "169.254.169.254:80: it is a cloud's metadata service" in box.log


def test_a_plain_http_request_goes_through_the_proxy(walled: Callable[..., Walled]) -> None:
    import http.server

    class Origin(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{self.path} {self.headers['Connection']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        box = walled(destinations=(Destination("127.0.0.1", port),))
        code = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"

        done = box.run(code, f"http://127.0.0.1:{port}/a?b=c")
        server.shutdown()

    assert done.stdout == b"/a?b=c close\n", done.stderr


# ------------------------------------------------------------------------------------- when it cannot


def test_a_command_that_cannot_be_isolated_is_not_run(walled: Callable[..., Walled]) -> None:
    box = walled(writable=(Path("/nowhere/at/all"),))

    with pytest.raises(ToolFailed) as caught:
        box.run("open('ran', 'w')")

    assert "could not be isolated" in str(caught.value)
    assert not (box.tree / "ran").exists()


def test_isolation_counts_as_possible_only_when_every_single_wall_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines of containers let namespaces be made, and yet no host name be set in them."""
    refusing = tmp_path / "bwrap"
    refusing.write_text(
        '#!/bin/sh\ncase " $* " in *" --hostname "*) echo "bwrap: Can\'t set hostname" >&2; exit 1;; esac\n'
        f'exec {bubblewrap()} "$@"\n'
    )
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("bot.sandbox.enclosure._works", [])

    assert unavailable() == "bubblewrap may not isolate here: bwrap: Can't set hostname"


def test_an_exit_code_and_a_signal_are_told(walled: Callable[..., Walled]) -> None:
    box = walled()

    assert box.run("import sys; sys.exit(3)").code == 3
    assert box.run(f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)})").code == 128 + signal.SIGTERM


def test_a_link_that_a_command_put_in_the_trees_place_shows_nothing_to_the_next_one(
    walled: Callable[..., Walled],
) -> None:
    box = walled()
    outside = box.place / "outside"
    outside.mkdir()
    (outside / "key").write_text("secret-of-the-host")
    program = outside / "program"
    program.write_text("#!/bin/sh\necho secret-of-the-host\n")
    program.chmod(0o755)
    words = ("sh", "-c", 'ln -s "$0" live; ln -s "$0/program" run')
    assert box.execute((*words, str(outside))).code == 0
    with pytest.raises(ToolFailed, match="could not be isolated"):
        box.execute(("sh", "-c", "cat key"), cwd=box.tree / "live")
    with pytest.raises(ToolFailed, match="could not be isolated"):
        box.execute(("./run",))
    looked = box.execute(("sh", "-c", 'cat live/key "$0"/key; ls -a "$0"', str(outside)))
    assert b"secret-of-the-host" not in looked.stdout
    assert "secret-of-the-host" not in box.log


@pytest.mark.parametrize("whose", ["os.getpid()", "1"])
def test_a_killed_command_or_wall_is_no_failure_of_the_command(walled: Callable[..., Walled], whose: str) -> None:
    with pytest.raises(ToolKilled):
        walled().run(f"import os, signal; os.kill({whose}, signal.SIGKILL); os._exit(137)")


def test_bubblewrap_killed_beside_its_command_is_no_command_that_never_ran(walled: Callable[..., Walled]) -> None:
    here = psutil.Process()

    def kill_the_wall() -> None:
        walls = [each for each in here.children(recursive=True) if each.name() == "bwrap"]
        walls[0].kill()

    box = walled()
    threading.Thread(target=_when, args=(box.tree / "begun", kill_the_wall), daemon=True).start()
    with pytest.raises(ToolKilled):
        box.run("import time; open('begun', 'w').write('x'); time.sleep(60)")
