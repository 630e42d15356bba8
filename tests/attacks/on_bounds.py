"""Attacks on what all runs share: processes, memory, disk, time, the log. Each is bounded, should nothing stop it."""

from __future__ import annotations

from typing import Final

from attacks.attack import Attack, Scene, box, by, said
from attacks.layers import Layer

FORKS: Final = """\
children = []
try:
    for _ in range(160):
        child = os.fork()
        if child == 0:
            time.sleep(20)
            os._exit(0)
        children.append(child)
    time.sleep(0.4)
    say('forked')
except OSError: pass
finally:
    for child in children: os.kill(child, 9)
"""
MEMORY: Final = "pieces = [b'x' * 2**22 for _ in range(80)]\nsay('filled')"
SHARED: Final = """\
try:
    with open('{place}', 'wb') as file:
        for _ in range({megabytes}): file.write(b'x' * 2**20)
    say('filled')
except OSError: pass
"""
FILES: Final = """\
for number in range(16):
    with open(f'filling-{number}', 'wb') as file: file.write(b'x' * 2**22)
time.sleep(2.6)
say('filled')
"""
NAMELESS: Final = """\
held = []
for number in range(16):
    held.append(open('filling', 'wb', buffering=0))
    os.unlink('filling')
    held[-1].write(b'x' * 2**22)
time.sleep(2.6)
say('filled')
"""
LOG: Final = """\
line = b'.' * 999 + b'\\n'
for _ in range(100_000): os.write(2, line)
"""
CORE: Final = """\
import resource
try: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
except (OSError, ValueError): pass
child = os.fork()
if child == 0: os.abort()
if os.WCOREDUMP(os.waitpid(child, 0)[1]): say('dumped')
"""
MEGABYTE: Final = 10**6


def _kept_it_all(scene: Scene) -> bool:
    return len(scene.words) > 20 * MEGABYTE


ATTACKS: Final = (
    Attack(
        name="fork-bomb",
        tries="start more processes than a command may have, faster than anybody looks",
        files=box(FORKS),
        harmed=said("forked"),
        stopped_by=by(Layer.BOUNDS),
    ),
    Attack(
        name="fill-memory",
        tries="take more memory than a command may have",
        files=box(MEMORY),
        harmed=said("filled"),
        stopped_by=by(Layer.BOUNDS),
    ),
    Attack(
        name="fill-shared-memory",
        tries="fill the memory behind /dev/shm",
        files=box(SHARED.format(place="/dev/shm/filling", megabytes=80)),
        harmed=said("filled"),
        stopped_by=by(Layer.BOUNDS),
    ),
    Attack(
        name="fill-the-disk",
        tries="write many files, more than a run may hold",
        files=box(FILES),
        harmed=said("filled"),
        stopped_by=by(Layer.BOUNDS),
    ),
    Attack(
        name="fill-the-disk-without-a-name",
        tries="write files that have lost their name, so that nobody who looks through directories finds them",
        files=box(NAMELESS),
        harmed=said("filled"),
        stopped_by=by(Layer.BOUNDS),
    ),
    Attack(
        name="one-huge-file",
        tries="write one file that is larger than all that a run may hold",
        files=box(SHARED.format(place="filling", megabytes=60)),
        harmed=said("filled"),
        stopped_by=by(Layer.BOUNDS),
    ),
    Attack(
        name="log-of-100-megabytes",
        tries="print a hundred megabytes into the log",
        files=box(LOG),
        harmed=_kept_it_all,
        stopped_by=by(Layer.BOUNDS),
    ),
    Attack(
        name="never-end",
        tries="hold a worker for ever",
        files=box("time.sleep(10)\nsay('lasted')"),
        harmed=said("lasted"),
        stopped_by=by(Layer.BOUNDS),
        limits={"plan_timeout": 0.5},
    ),
    Attack(
        name="core-dump",
        tries="crash, so that a core file with what was in memory stays",
        files=box(CORE),
        harmed=said("dumped"),
        stopped_by=by(Layer.BOUNDS),
    ),
)
