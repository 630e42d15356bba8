"""Real processes in their own group: nothing inherited, everything bounded, nobody left behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from bot.core.errors import ToolKilled, ToolMissing
from bot.core.redaction import HIDDEN, Redactor
from bot.ports import Executed, Execution
from bot.sandbox.process import ProcessSandbox

PYTHON = sys.executable


@dataclass
class Bench:
    """One sandbox, what it logged, and a switch that cancels."""

    cwd: Path
    secrets: tuple[str, ...] = ()
    pieces: list[str] = field(default_factory=list)
    cancel: threading.Event = field(default_factory=threading.Event)

    def run(self, code: str, *words: str, **options: object) -> Executed:
        return self.execute((PYTHON, "-c", code, *words), **options)

    def execute(self, argv: tuple[str, ...], **options: object) -> Executed:
        given: dict[str, object] = {"cwd": self.cwd, "env": {}, "timeout": 30.0, **options}
        sandbox = ProcessSandbox(
            log=self.pieces.append, redactor=Redactor(self.secrets), cancelled=self.cancel.is_set
        )
        return sandbox.run(Execution(argv=argv, **given))  # type: ignore[arg-type]

    @property
    def log(self) -> str:
        return "".join(self.pieces)

    def cancel_once(self, there: Path) -> None:
        """Cancel as soon as the process has said, with a file, that it is ready."""
        threading.Thread(target=lambda: (until(there.exists), self.cancel.set()), daemon=True).start()


@pytest.fixture
def deaf() -> Iterator[None]:
    """We ignore SIGINT, as what a shell starts in the background does."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        threading.Event().wait(0.01)


def gone(pid: int) -> bool:
    """Dead; a zombie nobody has reaped yet (its parent is the container's first process) is dead as well."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_process_sees_only_the_environment_it_was_given(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_TOKEN", "must-not-leak")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    seen = json.loads(bench.run("import json, os; print(json.dumps(dict(os.environ)))", env={"REGION": "eu"}).stdout)
    assert seen.pop("REGION") == "eu"
    assert set(seen) == {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"}


def test_home_is_empty_its_own_and_gone_afterwards(bench: Bench) -> None:
    code = "import os; print(os.environ['HOME'], os.listdir(os.environ['HOME'])); open(os.environ['HOME']+'/x', 'w')"
    home, _, listed = bench.run(code).stdout.decode().strip().partition(" ")
    assert listed == "[]"
    assert home != os.environ.get("HOME")
    assert not Path(home).exists()


def test_no_file_of_ours_is_open_in_the_process(bench: Bench) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        code = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd') if int(n) > 2))"
        # One number is the directory being listed itself.
        assert len(json.loads(bench.run(code).stdout)) == 1
    finally:
        os.close(read)
        os.close(write)


def test_no_core_file_can_be_left(bench: Bench) -> None:
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert bench.run(code).stdout.strip() == b"(0, 0)"


def test_it_runs_in_the_directory_it_was_told_and_its_code_comes_back(bench: Bench) -> None:
    done = bench.run("import os, sys; print(os.getcwd()); print('no', file=sys.stderr); sys.exit(7)")
    assert done.code == 7
    assert done.stdout.decode().strip() == str(bench.cwd.resolve())
    assert done.stderr == b"no\n"
    assert not done.timed_out and not done.cancelled and not done.truncated


def test_it_reads_what_it_is_fed_and_then_the_end(bench: Bench) -> None:
    data = b"line\n" * 100_000
    done = bench.run("import sys; print(len(sys.stdin.buffer.read()))", stdin=data)
    assert done.stdout.strip() == str(len(data)).encode()


def test_a_process_that_does_not_read_its_input_is_not_waited_for(bench: Bench) -> None:
    done = bench.run("print('done')", stdin=b"x" * 10_000_000)
    assert done.code == 0
    assert done.seconds < 20


def test_a_program_that_is_not_there_is_named(bench: Bench) -> None:
    with pytest.raises(ToolMissing, match="no-such-tool is not installed"):
        bench.execute(("no-such-tool", "--secret=hunter22"))


def test_a_program_of_the_checkout_is_not_found_by_its_bare_name(bench: Bench) -> None:
    planted = bench.cwd / "planted-tool"
    planted.write_text("#!/bin/sh\necho planted\n")
    planted.chmod(0o755)
    with pytest.raises(ToolMissing):
        bench.execute(("planted-tool",))


def test_a_secret_written_in_two_pieces_never_reaches_the_log(bench: Bench) -> None:
    bench.secrets = ("correct-horse-battery",)
    code = (
        "import sys, time\n"
        "for piece in ('key=correct-ho', 'rse-bat', 'tery end\\n'):\n"
        "    sys.stdout.write(piece); sys.stdout.flush(); time.sleep(0.1)\n"
    )
    done = bench.run(code)
    assert b"correct-horse-battery" in done.stdout  # the caller gets it raw and redacts what it shows
    assert bench.log == f"key={HIDDEN} end\n"
    assert not any(part in bench.log for part in ("correct", "horse", "battery"))


def test_a_secret_on_the_last_unfinished_line_is_hidden_in_both_streams(bench: Bench) -> None:
    bench.secrets = ("correct-horse-battery",)
    code = "import sys\nfor s in (sys.stdout, sys.stderr): s.write('v=correct-horse-battery')"
    bench.run(code)
    assert bench.log.count(HIDDEN) == 2
    assert "horse" not in bench.log


def test_a_secret_cut_by_colours_is_hidden(bench: Bench) -> None:
    bench.secrets = ("correct-horse-battery",)
    bench.run("print('v=correct-\\x1b[31mhorse-\\x1b[0mbattery')")
    assert "correct-horse-battery" not in bench.log
    assert "\x1b" not in bench.log


def test_control_characters_do_not_reach_the_log(bench: Bench) -> None:
    bench.run("print('a\\x1b]0;title\\x07b\\x00c\\u202ed\\x7fe\\rf')")
    assert bench.log == "abcde\nf\n"


def test_letters_cut_by_the_reading_are_put_together(bench: Bench) -> None:
    code = (
        "import sys, time\n"
        "for piece in (b'gr\\xc3', b'\\xbc\\xc3\\x9f', b'e \\xff\\n'):\n"
        "    sys.stdout.buffer.write(piece); sys.stdout.flush(); time.sleep(0.1)\n"
    )
    bench.run(code)
    assert bench.log == "grüße \ufffd\n"


def test_quiet_output_is_kept_for_the_caller_but_not_logged(bench: Bench) -> None:
    done = bench.run("import sys; print('machine form'); print('words', file=sys.stderr)", quiet=True)
    assert done.stdout == b"machine form\n"
    assert bench.log == "words\n"


def test_more_output_than_is_kept_is_cut_and_said_so_but_read_to_its_end(bench: Bench) -> None:
    done = bench.run("import sys; sys.stdout.write('x' * 5_000_000); sys.exit(3)", keep_bytes=1000, quiet=True)
    assert done.stdout == b"x" * 1000
    assert done.truncated
    assert done.code == 3


def test_exactly_what_may_be_kept_is_not_called_cut(bench: Bench) -> None:
    done = bench.run("import sys; sys.stdout.write('x' * 1000)", keep_bytes=1000)
    assert len(done.stdout) == 1000
    assert not done.truncated


LADDER = """
import signal, sys, time
def told(number, frame):
    print(signal.Signals(number).name, flush=True)
    if signal.Signals(number).name == sys.argv[1]: sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, told)
open('ready', 'w')
while True: time.sleep(0.01)
"""


def test_a_command_hears_a_gentle_signal_though_the_worker_was_started_deaf_to_it(deaf: None, bench: Bench) -> None:
    began = time.monotonic()
    done = bench.run("import time; time.sleep(60)", timeout=1.0, grace=20.0)

    assert done.timed_out
    assert time.monotonic() - began < 15, "it was not killed after the grace time, it went"


def test_time_up_is_first_told_by_an_interrupt(bench: Bench) -> None:
    done = bench.run(LADDER, "SIGINT", timeout=1.5, grace=10.0)
    assert done.timed_out and not done.cancelled
    assert done.stdout.split() == [b"SIGINT"]
    assert done.seconds < 8


def test_who_ignores_the_interrupt_is_told_to_terminate(bench: Bench) -> None:
    done = bench.run(LADDER, "SIGTERM", timeout=1.5, grace=0.3)
    assert done.timed_out
    assert done.stdout.split() == [b"SIGINT", b"SIGTERM"]


def test_who_ignores_everything_is_killed(bench: Bench) -> None:
    done = bench.run(LADDER, "never", timeout=1.5, grace=0.3)
    assert done.timed_out
    assert done.code == -9
    assert done.stdout.split() == [b"SIGINT", b"SIGTERM"]


def test_cancelling_uses_the_same_ladder_and_is_told_apart_from_time_up(bench: Bench) -> None:
    bench.cancel_once(bench.cwd / "ready")
    done = bench.run(LADDER, "SIGTERM", timeout=60.0, grace=0.3)
    assert done.cancelled and not done.timed_out
    assert done.stdout.split() == [b"SIGINT", b"SIGTERM"]


FAMILY = """
import os, signal, subprocess, sys, time
kid = subprocess.Popen([sys.executable, '-c',
    'import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; open("kid", "w"); time.sleep(600)'])
while not os.path.exists('kid'): time.sleep(0.01)
print(kid.pid, flush=True)
if sys.argv[1] == 'wait':
    open('ready', 'w')
    kid.wait()
"""


def test_a_child_left_behind_is_dead_when_its_parent_is_done(bench: Bench) -> None:
    done = bench.run(FAMILY, "leave")
    assert done.code == 0
    assert done.seconds < 10  # the child holds our pipes open; nobody waits for it
    kid = int(done.stdout)
    until(lambda: gone(kid))


def test_a_child_that_ignores_every_signal_is_dead_after_a_cancellation(bench: Bench) -> None:
    bench.cancel_once(bench.cwd / "ready")
    done = bench.run(FAMILY, "wait", timeout=60.0, grace=0.3)
    assert done.cancelled
    kid = int(done.stdout)
    until(lambda: gone(kid))


def test_a_command_that_something_else_killed_did_not_fail_and_did_not_end(bench: Bench) -> None:
    with pytest.raises(ToolKilled, match="killed"):
        bench.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
