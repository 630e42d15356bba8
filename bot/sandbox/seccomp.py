"""A seccomp filter as the bytes bubblewrap takes: system calls that no tool of infrastructure needs are refused.

A classic BPF program over ``struct seccomp_data``: https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
Refused calls fail with EPERM (clone3 with ENOSYS, so that C libraries fall back to clone, whose flags can be read).
Sockets are of few families: others belong to no network namespace (AF_VSOCK leads to the hypervisor and its other
guests), or open parts of the kernel that nothing here needs.
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass
from typing import Final

_LOAD, _EQUAL, _ALL_BITS, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
SOCKETS: Final = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK, by which C libraries and Go learn which addresses there are."""
NAMESPACES: Final = 0x7E020080
"""Every CLONE_NEW* flag: no namespace is made inside, least of all one that makes its maker root."""
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
X32_BIT: Final = 0x40000000


@dataclass(frozen=True, slots=True)
class Machine:
    """How one processor names its calls. Numbers: the kernel's ``unistd.h`` of that architecture."""

    audit: int
    """AUDIT_ARCH_*, from ``linux/audit.h``."""
    refused: tuple[int, ...]
    unshare: int
    clone: int
    clone3: int
    ioctl: int
    socket: int
    x32: bool = False


_COMMON: Final = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 440, 442, 448)
"""io_uring_setup, _enter, _register; open_tree, move_mount, fsopen, fsconfig, fsmount, fspick; pidfd_getfd,
process_madvise, mount_setattr, process_mrelease: one number on every architecture."""

MACHINES: Final = {
    "x86_64": Machine(
        audit=0xC000003E,
        # ptrace, syslog, uselib, personality, ustat, sysfs, pivot_root, _sysctl, chroot, acct, settimeofday, mount,
        # umount2, swapon, swapoff, reboot, sethostname, setdomainname, iopl, ioperm, create_module, init_module,
        # delete_module, get_kernel_syms, query_module, quotactl, nfsservctl, lookup_dcookie, clock_settime, mbind,
        # set_mempolicy, kexec_load, add_key, request_key, keyctl, migrate_pages, move_pages, perf_event_open,
        # fanotify_init, name_to_handle_at, open_by_handle_at, clock_adjtime, setns, process_vm_readv and _writev,
        # kcmp, finit_module, bpf, kexec_file_load, userfaultfd
        refused=(101, 103, 134, 135, 136, 139, 155, 156, 161, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173,
                 174, 175, 176, 177, 178, 179, 180, 212, 227, 237, 238, 246, 248, 249, 250, 256, 279, 298, 300, 303,
                 304, 305, 308, 310, 311, 312, 313, 320, 321, 323, *_COMMON),
        unshare=272, clone=56, clone3=435, ioctl=16, socket=41, x32=True,
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        # the same calls; this processor never had uselib, ustat, iopl and others of the old ones
        refused=(18, 39, 40, 41, 42, 51, 60, 89, 92, 104, 105, 106, 112, 116, 117, 142, 161, 162, 170, 217, 218, 219,
                 224, 225, 235, 237, 238, 239, 241, 262, 264, 265, 266, 268, 270, 271, 272, 273, 280, 282, 294,
                 *_COMMON),
        unshare=97, clone=220, clone3=435, ioctl=29, socket=198,
    ),
}  # fmt: skip


def program(machine: str = "") -> bytes | None:
    """The filter for this processor; None for one whose calls are not listed."""
    found = MACHINES.get(machine or platform.machine())
    return None if found is None else _assembled(found)


def _assembled(machine: Machine) -> bytes:
    refuse = ERRNO | EPERM
    lines = [
        *_when(_ARCH, _EQUAL, machine.audit, None, KILL),
        *(_when(_NUMBER, _AT_LEAST, X32_BIT, KILL, None) if machine.x32 else ()),
        *_when(_NUMBER, _EQUAL, machine.clone3, ERRNO | ENOSYS, None),
        *(step for call in machine.refused for step in _when(_NUMBER, _EQUAL, call, refuse, None)),
        *_when_argument(machine.unshare, _ARG0, _ALL_BITS, NAMESPACES, refuse),
        *_when_argument(machine.clone, _ARG0, _ALL_BITS, NAMESPACES, refuse),
        *_when_argument(machine.ioctl, _ARG1, _EQUAL, TIOCSTI, refuse),
        *_when_argument(machine.ioctl, _ARG1, _EQUAL, TIOCLINUX, refuse),
        *_unless_argument(machine.socket, _ARG0, SOCKETS, ERRNO | EAFNOSUPPORT),
        (_RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


_Line = tuple[int, int, int, int]


def _when(field: int, test: int, value: int, then: int | None, otherwise: int | None) -> tuple[_Line, ...]:
    """Return ``then`` when the test holds (or ``otherwise`` when not); None goes on behind it."""
    result = then if then is not None else otherwise
    assert result is not None
    skip = (0, 1) if then is not None else (1, 0)
    return ((_LOAD, 0, 0, field), (test, *skip, value), (_RETURN, 0, 0, result))


def _when_argument(call: int, field: int, test: int, value: int, then: int) -> tuple[_Line, ...]:
    """Return ``then`` for this call when the low half of its argument passes the test.

    ``clone`` takes its flags first on both processors; the kernel ignores the high half of what is tested here.
    """
    return (
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 3, call),
        (_LOAD, 0, 0, field),
        (test, 0, 1, value),
        (_RETURN, 0, 0, then),
    )


def _unless_argument(call: int, field: int, values: tuple[int, ...], then: int) -> tuple[_Line, ...]:
    """Return ``then`` for this call unless the low half of its argument is one of these."""
    count = len(values)
    return (
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, count + 2, call),
        (_LOAD, 0, 0, field),
        *((_EQUAL, count - place, 0, value) for place, value in enumerate(values)),
        (_RETURN, 0, 0, then),
    )
