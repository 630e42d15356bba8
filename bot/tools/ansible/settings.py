"""``ansible.cfg``, inventories in INI form, and the variables that change what the worker itself runs."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from collections.abc import Iterator
from typing import Final

from bot.core.guard.model import Finding

CONNECTING: Final = frozenset(
    {"ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args", "ansible_ssh_executable"}
    | {"ansible_sftp_extra_args", "ansible_scp_extra_args", "ansible_sftp_executable", "ansible_scp_executable"}
    | {
        "ansible_ssh_transfer_method",
        "ansible_ssh_control_path",
        "ansible_ssh_control_path_dir",
        "ansible_ssh_askpass",
    }
    | {
        "ansible_paramiko_proxy_command",
        "ansible_proxy_command",
        "ansible_ssh_private_key_file",
        "ansible_shell_type",
    }
    | {
        "ansible_private_key_file",
        "ansible_ssh_pkcs11_provider",
        "ansible_become_plugin",
        "ansible_ssh_password_mechanism",
    }
    | {
        "ansible_playbook_python",
        "ansible_config_file",
        "ansible_psrp_proxy",
        "ansible_network_os",
        "ansible_netconf_ssh_config",
    }
)
"""Variables of the connection plugins that name programs, arguments or files of the worker
(https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ssh_connection.html)."""

MOST_LINES: Final = 5_000
"""Lines of ``ansible.cfg``. The parser goes through all errors it found so far again with each one more."""

REMOTE: Final = frozenset(
    {"ssh", "smart", "paramiko", "paramiko_ssh", "winrm", "psrp", "network_cli", "netconf", "httpapi"}
)


def configuration(path: str, text: bytes | None, digest: str) -> Iterator[Finding]:
    """Every setting, as Ansible's own reader has them; the operator's list says which are harmless."""
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None)
    try:
        written = (text or b"\xff").decode("utf-8")
        if written.count("\n") > MOST_LINES:
            raise configparser.Error
        parser.read_string(written)
    except (configparser.Error, UnicodeDecodeError):
        yield Finding("unreadable", path, "settings of Ansible that cannot be read", mark=digest)
        return
    lines = _first_lines(written)
    for section in (configparser.DEFAULTSECT, *parser.sections()):
        for name, value in parser.items(section) if section in parser else parser.defaults().items():
            line = lines.get(name, 0)
            yield Finding("ansible-setting", path, "a setting of Ansible", f"{section}.{name}", line, mark=value)


def _first_lines(text: str) -> dict[str, int]:
    """Where each setting first stands."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found.setdefault(re.split("[=:]", line, maxsplit=1)[0].strip().lower(), number)
    return found


def variable(path: str, name: str, value: str, line: int) -> Iterator[Finding]:
    """What a variable does to the worker, when it does something."""
    if name == "ansible_connection":
        plain = value.removeprefix("ansible.builtin.")
        if plain not in REMOTE:
            shown = "" if "{{" in value else plain
            yield Finding("on-worker", path, "a connection that is none to another machine", shown, line, mark=value)
    elif name in CONNECTING:
        what = "a variable that changes what the worker runs to connect"
        yield Finding("worker-variable", path, what, name, line, mark=value)


def assignments(text: str) -> Iterator[tuple[str, str]]:
    """``name=value`` words of a line (an inventory's, or a module's arguments in one string)."""
    if "ansible_" not in text or "=" not in text:
        return
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        words = text.split()
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            yield name.strip("{[,"), value.strip("}],")


def inventory(path: str, text: bytes) -> Iterator[Finding]:
    """Hosts' and groups' variables of an INI inventory, line by line
    (https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ini_inventory.html)."""
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        if line.lstrip().startswith(("#", ";")):
            continue
        name, equals, value = line.partition("=")
        pairs = dict(assignments(line))
        if equals and name.strip().startswith("ansible_"):
            pairs[name.strip()] = value.strip().strip("\"'")
        for each, given in pairs.items():
            yield from variable(path, each, given, number)


def toml_inventory(path: str, text: bytes, digest: str) -> Iterator[Finding]:
    """The same of an inventory in TOML."""
    try:
        written = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        yield Finding("unreadable", path, "an inventory that cannot be read", mark=digest)
        return
    for name, value in flat(written):
        yield from variable(path, name, value if isinstance(value, str) else "", 0)


def flat(value: object) -> Iterator[tuple[str, object]]:
    """Every name and value in nested settings."""
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        name, each = waiting.pop()
        yield name, each
        if isinstance(each, dict):
            waiting.extend((str(key), inner) for key, inner in each.items())
        elif isinstance(each, list | tuple):
            waiting.extend((name, inner) for inner in each)
