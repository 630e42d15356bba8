"""Attacks on processes: of the worker, of other runs, and those that are to outlive their run."""

from __future__ import annotations

import platform
from typing import Final

from attacks.attack import Attack, Scene, box, by, said, took
from attacks.ground import Ground
from attacks.layers import Layer
from attacks.outside import living

ALL: Final = "for name in os.listdir('/proc'): loot(read(f'/proc/{name}/@what@'))"
MEMORY: Final = """\
try:
    with open('/proc/@worker@/mem', 'rb') as memory:
        memory.seek(@address@)
        loot(memory.read(64))
except OSError: pass
"""
PROCESS_VM: Final = """\
class Piece(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
here = ctypes.create_string_buffer(64)
ours, theirs = Piece(ctypes.addressof(here), 64), Piece(@address@, 64)
libc.process_vm_readv(@worker@, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
loot(here.raw)
"""
PTRACE: Final = """\
seize, detach = 0x4206, 17
if libc.ptrace(seize, @victim@, None, None) == 0: say('attached')
"""
KILL: Final = "import signal\ntry: os.kill(@victim@, signal.SIGKILL)\nexcept OSError: pass"
SEGMENT: Final = """\
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(@segment@, 4096, 0)
place = libc.shmat(segment, None, 0o10000) if segment >= 0 else None
if place and place != 2**64 - 1: loot(ctypes.string_at(place, 64))
"""
KEYRING: Final = """\
keyctl, search, read_key, session = 250, 10, 11, -3
key = libc.syscall(keyctl, search, session, b'user', b'headgate-attacked', 0)
value = ctypes.create_string_buffer(64)
libc.syscall(keyctl, read_key, key, value, 64)
loot(value.raw)
"""
NAMESPACE: Final = """\
new_user, new_mounts = 0x10000000, 0x20000
if libc.unshare(new_user | new_mounts) == 0:
    open('/proc/self/setgroups', 'w').write('deny')
    open('/proc/self/uid_map', 'w').write('0 1000 1')
    if libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0: say('mounted')
"""
STAYING: Final = """\
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        quiet = os.open('/dev/null', os.O_RDWR)
        for stream in (0, 1, 2): os.dup2(quiet, stream)
        os.execvp('python3', ['python3', '-c', 'import time; time.sleep(20)', '@mark@'])
    os._exit(0)
time.sleep(0.3)
"""


def _killed(scene: Scene) -> bool:
    return not scene.ground.outside.victim_lives


def _left_behind(scene: Scene) -> bool:
    left = living(scene.ground.names["mark"])
    for each in left:
        each.kill()
    return bool(left)


def _no_keyring(ground: Ground) -> str:
    return "" if ground.outside.keyring else "the kernel's keyring cannot be used here"


def _other_processor(ground: Ground) -> str:
    return "" if platform.machine() == "x86_64" else "written for x86-64"


ATTACKS: Final = (
    Attack(
        name="read-the-workers-variables",
        tries="read the environment that the worker itself was started with",
        files=box("loot(repr(dict(os.environ)))\nloot(read('/proc/1/environ'))"),
        harmed=took("variable"),
        stopped_by=by(Layer.ENVIRONMENT),
    ),
    Attack(
        name="list-other-processes",
        tries="read the command lines of other processes, as of another run",
        files=box(ALL.replace("@what@", "cmdline")),
        harmed=took("argument"),
        stopped_by=by(Layer.PROCESSES),
    ),
    Attack(
        name="read-another-runs-environment",
        tries="read the environment of another run's process, where its credentials are",
        files=box(ALL.replace("@what@", "environ")),
        harmed=took("environment"),
        stopped_by=by(Layer.PROCESSES, Layer.PRIVILEGE),
    ),
    Attack(
        name="read-the-services-memory",
        tries="read the worker's memory through /proc/PID/mem",
        files=box(MEMORY),
        harmed=took("memory"),
        stopped_by=by(Layer.PROCESSES, Layer.PRIVILEGE),
    ),
    Attack(
        name="read-the-services-memory-by-call",
        tries="read the worker's memory with process_vm_readv",
        files=box(PROCESS_VM),
        harmed=took("memory"),
        stopped_by=by(Layer.PROCESSES, Layer.PRIVILEGE, Layer.SECCOMP),
    ),
    Attack(
        name="trace-a-process",
        tries="attach to another run's process with ptrace",
        files=box(PTRACE),
        harmed=said("attached"),
        stopped_by=by(Layer.PROCESSES, Layer.PRIVILEGE, Layer.SECCOMP),
    ),
    Attack(
        name="kill-a-process",
        tries="kill a process of the worker",
        files=box(KILL),
        harmed=_killed,
        stopped_by=by(Layer.PROCESSES),
    ),
    Attack(
        name="read-shared-memory",
        tries="attach to a System V segment of the worker's user",
        files=box(SEGMENT),
        harmed=took("shared"),
        stopped_by=by(Layer.PROCESSES),
    ),
    Attack(
        name="read-the-keyring",
        tries="read a key that the worker's session keeps in the kernel's keyring, which no namespace hides",
        files=box(KEYRING),
        harmed=took("keyring"),
        stopped_by=by(Layer.SECCOMP),
        missing=_no_keyring,
    ),
    Attack(
        name="become-root-in-a-namespace",
        tries="make a user namespace inside, be root in it and mount, with all of the kernel that opens to root",
        files=box(NAMESPACE),
        harmed=said("mounted"),
        stopped_by=by(Layer.SECCOMP),
    ),
    Attack(
        name="leave-a-process-behind",
        tries="fork twice, leave the session and close everything, to live on after the run",
        files=box(STAYING),
        harmed=_left_behind,
        stopped_by=by(Layer.PROCESSES, Layer.BOUNDS),
    ),
)
