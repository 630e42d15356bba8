"""What the guard reads of Ansible's files: every way to act on the worker, to fetch, or to hide."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import Tree

from bot.core.guard.model import EntryKind, Finding
from bot.core.guard.rules import GuardRules
from bot.core.project import Project
from bot.tools.ansible.documents import LARGEST
from bot.tools.ansible.guard import BUDGET, findings

OPTIONS: Mapping[str, object] = {"playbook": "site.yml", "inventory": ["inventory.ini"]}
NONE: Mapping[str, EntryKind] = {}


def read(
    files: Mapping[str, str | bytes],
    *,
    options: Mapping[str, object] = OPTIONS,
    kinds: Mapping[str, EntryKind] = NONE,
) -> list[Finding]:
    content = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    project = Project("one", "one", "ansible", options=options, inputs=("roles",))
    return list(findings(project, Tree(content, kinds)))


def bad(text: str | bytes, name: str = "site.yml", kind: EntryKind = EntryKind.FILE) -> list[tuple[str, str, int]]:
    """What is left of one file's findings under the default lists."""
    rules = GuardRules()
    path = f"one/{name}"
    return [
        (each.rule, each.value, each.line)
        for each in read({path: text}, kinds={path: kind})
        if not rules.allows(each.rule, each.value)
    ]


def task(body: str) -> str:
    return f"- hosts: web\n  tasks:\n    - name: x\n{body}"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("      debug: {msg: \"{{ lookup('pipe', 'id') }}\"}\n", ("lookup", "pipe", 4)),
        ("      debug: {msg: \"{{ query('ansible.builtin.url', 'x') }}\"}\n", ("lookup", "url", 4)),
        ("      debug: {msg: \"{% set x = q(y, 'id') %}\"}\n", ("lookup", "", 4)),
        ('      debug: {msg: "{% set l = lookup %}"}\n', ("lookup", "", 4)),
        ("      debug: {msg: \"{{ lookup('file', '/etc/passwd') }}\"}\n", ("lookup", "file", 4)),
        ("      debug: {msg: \"{{ lookup('file', '../../x') }}\"}\n", ("lookup", "file", 4)),
        ("      debug: {msg: \"{{ lookup('file', secret) }}\"}\n", ("lookup", "file", 4)),
        ("      debug: {msg: \"{% include '/etc/passwd' %}\"}\n", ("lookup", "", 4)),
        ("      ping:\n      when: lookup('pipe', 'id') == ''\n", ("lookup", "pipe", 5)),
        ("      ping:\n      when: q('pipe', 'id') == '{{ x }}'\n", ("lookup", "pipe", 5)),
        ("      ping:\n      when: lookup({{ x }}, 1)\n", ("lookup", "", 5)),
        ("      debug:\n        var: lookup('pipe', 'id')\n", ("lookup", "pipe", 5)),
        ("      debug: {msg: >-\n        a\n\n        {{ lookup('pipe', 'id') }}}\n", None),
        ("      ping:\n      with_pipe: id\n", ("lookup", "pipe", 5)),
        ("      ping:\n      with_file: [/etc/passwd]\n", ("lookup", "file", 5)),
        ("      ping:\n      delegate_to: localhost\n", ("on-worker", "localhost", 5)),
        ("      ping:\n      delegate_to: 127.0.0.1\n", ("on-worker", "localhost", 5)),
        ("      ping:\n      delegate_to: db1\n", ("delegate", "db1", 5)),
        ("      ping:\n      delegate_to: '{{ x }}'\n", ("delegate", "", 5)),
        ("      local_action: shell id\n", ("on-worker", "localhost", 4)),
        ("      ping:\n      connection: local\n", ("on-worker", "local", 5)),
        ("      ping:\n      connection: ansible.builtin.local\n", ("on-worker", "local", 5)),
        ("      ping:\n      connection: '{{ x }}'\n", ("on-worker", "", 5)),
        ("      ping:\n      vars: {ansible_connection: local}\n", ("on-worker", "local", 5)),
        ("      ping:\n      vars: {ansible_ssh_common_args: -oProxyCommand=id}\n",
         ("worker-variable", "ansible_ssh_common_args", 5)),
        ("      add_host: name=x ansible_connection=local\n", ("on-worker", "local", 4)),
        ("      set_fact: {'{{ x }}': local}\n", ("worker-variable", "", 4)),
        ("      shell: id\n      check_mode: false\n", ("check-mode", "", 5)),
        ("      shell: id\n      check_mode: '{{ x }}'\n", ("check-mode", "", 5)),
        ("      template: {src: a, dest: b, variable_start_string: '[['}\n", ("lookup", "", 4)),
        ("      include_tasks: /srv/x.yml\n", ("include", "/srv/x.yml", 4)),
        ("      include_tasks: file=../../x.yml\n", ("include", "../../x.yml", 4)),
        ("      include_tasks: {file: https://e.example/x.yml}\n", ("include", "https://e.example/x.yml", 4)),
        ("      ansible.builtin.include_vars: {file: ~/x.yml}\n", ("include", "~/x.yml", 4)),
        ("      include_tasks: tasks.txt\n", ("include", "tasks.txt", 4)),
    ],
)  # fmt: skip
def test_every_way_is_found_with_its_value_and_line(body: str, found: tuple[str, str, int] | None) -> None:
    assert bad(task(body)) == ([found] if found is not None else [("unreadable", "", 0)])


@pytest.mark.parametrize(
    ("play", "found"),
    [
        ("- hosts: localhost\n", ("on-worker", "localhost", 1)),
        ("- hosts: [web, 127.0.0.1]\n", ("on-worker", "localhost", 1)),
        ("- hosts: web:localhost\n", ("on-worker", "localhost", 1)),
        ("- hosts: web\n  connection: local\n", ("on-worker", "local", 2)),
        ("- hosts: web\n  strategy: evil\n", ("ansible-plugin", "evil", 2)),
        ("- hosts: web\n  vars_files: [/etc/x.yml]\n", ("include", "/etc/x.yml", 2)),
        ("- hosts: web\n  roles: [/srv/role]\n", ("include", "/srv/role", 2)),
        ("- hosts: web\n  roles:\n    - role: ../../../x\n", ("include", "../../../x", 3)),
        ("- import_playbook: ../../x.yml\n", ("include", "../../x.yml", 1)),
        ("- hosts: web\n  <<: {connection: local}\n", ("on-worker", "local", 2)),
    ],
)
def test_plays_are_read_too(play: str, found: tuple[str, str, int]) -> None:
    assert bad(play) == [found]


@pytest.mark.parametrize(
    "body",
    [
        "      ansible.builtin.copy: {dest: /etc/x, content: '{{ greeting }} (yes)'}\n",
        "      shell: echo $(id) && foo(bar)\n      check_mode: true\n",
        "      debug: {msg: \"{{ lookup('file', 'files/key.pub') }}\"}\n",
        "      debug: {msg: \"{{ lookup('vars', 'x') }}\"}\n",
        "      ping:\n      loop: \"{{ query('dict', x) }}\"\n      with_items: [1]\n",
        "      ping:\n      connection: ssh\n      delegate_facts: true\n",
        "      include_tasks: '{{ os }}.yml'\n",
        "      include_role: {name: web}\n",
        "      copy: {content: '{% raw %}{{ lookup(1) }}{% endraw %}', dest: /x}\n",
        "      user: {name: x, shell: /bin/bash}\n",
    ],
)
def test_ordinary_tasks_pass(body: str) -> None:
    assert bad(task(body)) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("ansible.cfg", "[defaults]\nforks = 5\ncallback_plugins = ./x\n",
         [("ansible-setting", "defaults.callback_plugins", 3)]),
        ("ansible.cfg", "[ssh_connection]\nssh_args = -oProxyCommand=id\n",
         [("ansible-setting", "ssh_connection.ssh_args", 2)]),
        ("ansible.cfg", "[DEFAULT]\nlibrary = x\n", [("ansible-setting", "DEFAULT.library", 2)]),
        ("ansible.cfg", "no settings", [("unreadable", "", 0)]),
        ("inventory.ini", "[web]\nx ansible_connection=local\n", [("on-worker", "local", 2)]),
        ("inventory.ini", "[web:vars]\nansible_ssh_common_args = '-o ProxyCommand=id'\n",
         [("worker-variable", "ansible_ssh_common_args", 2)]),
        ("inventory.ini", "# x ansible_connection=local\n[web]\nx ansible_host=1.2.3.4\n", []),
        ("inventory.ini", 'x = {ansible_connection="local"}\n', [("on-worker", "local", 1)]),
        ("group_vars/all", "ansible_connection: local\n", [("on-worker", "local", 1)]),
        ("host_vars/x.json", '{"ansible_connection": "local"}', [("on-worker", "local", 1)]),
        ("group_vars/all.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", [("encrypted", "", 0)]),
        ("group_vars/all.yml", "x: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\ny: !unsafe '{{ a }}'\n", []),
        ("templates/x.conf", "a\n{{ lookup('pipe', 'id') }}\n", [("lookup", "pipe", 2)]),
        ("x.j2", "#jinja2: variable_start_string:'[['\n[[ lookup('pipe', 'id') ]]\n", [("lookup", "", 1)]),
        ("templates/x.yml", "{% if a %}\nb: {{ c }}\n{% endif %}\n", []),
        ("files/x.yml", "{{{", []),
        ("vars.yml", "{{{", [("unreadable", "", 0)]),
        ("library/x.py", "import os", [("ansible-plugin", "", 0)]),
        ("roles/a/filter_plugins/x.py", "import os", [("ansible-plugin", "", 0)]),
        ("collections/ansible_collections/a/b/plugins/modules/x.py", "x", [("ansible-plugin", "", 0)]),
        ("requirements.yml", "collections:\n  - community.general\n  - {name: a.b, source: https://e.example}\n",
         [("collection", "https://e.example", 3), ("collection", "community.general", 1)]),
        ("requirements.yml", "- src: git+https://e.example/x\n", [("collection", "git+https://e.example/x", 1)]),
        ("requirements.yml", "collections: [ansible.posix]\n", []),
    ],
)  # fmt: skip
def test_every_kind_of_file_is_read_as_ansible_does(name: str, text: str, found: list[tuple[str, str, int]]) -> None:
    assert bad(text, name) == found


def test_inventories_that_are_programs_or_ask_plugins_are_found() -> None:
    assert ("inventory-program", "", 0) in bad("#!/bin/sh\n", "inventory.ini", EntryKind.EXECUTABLE)
    files = {"one/site.yml": "- hosts: web\n", "one/hosts.yml": "plugin: aws_ec2\n"}
    found = read(files, options={"playbook": "site.yml", "inventory": "hosts.yml"})
    assert ("inventory-program", "aws_ec2") in {(each.rule, each.value) for each in found}


def test_the_projects_own_settings_are_read() -> None:
    extra = {"a": [{"ansible_connection": "local"}], "b": "{{ lookup('pipe', 'id') }}"}
    found = read({}, options={"playbook": "../../x.yml", "inventory": "/etc/hosts", "extra_vars": extra})
    assert {(each.rule, each.value) for each in found} == {
        ("on-worker", "local"), ("lookup", "pipe"), ("include", "../../x.yml"), ("include", "/etc/hosts")
    }  # fmt: skip


def test_roles_beside_the_project_are_read() -> None:
    found = read({"one/site.yml": "", "roles/a/tasks/main.yml": "- shell: id\n  delegate_to: localhost\n"})
    assert ("on-worker", "roles/a/tasks/main.yml", 2) in {(each.rule, each.path, each.line) for each in found}


def test_an_operator_can_take_back_a_module_however_it_is_called() -> None:
    more = "    - action: shell id\n    - action: {module: shell}\n    - block:\n        - shell: id\n"
    rules = GuardRules(lists={"ansible_modules": ("!shell",)})
    found = read({"one/site.yml": task("      ansible.builtin.shell: id\n" + more)})
    denied = {(each.rule, each.value, each.line) for each in found if not rules.allows(each.rule, each.value)}
    assert denied == {("ansible-module", "shell", line) for line in (4, 5, 6, 8)}


def test_another_task_on_the_worker_is_another_finding() -> None:
    marks = {
        each.mark
        for word in ("a", "b")
        for each in read({"one/site.yml": task(f"      shell: {word}\n      delegate_to: localhost\n")})
        if each.rule == "on-worker"
    }
    assert len(marks) == 2


def test_a_link_to_plugins_is_found_and_one_to_variables_is_read_where_they_are() -> None:
    files = {
        "one/library": "../code",
        "code/x": "",
        "one/group_vars": "../roles/vars",
        "roles/vars/all.yml": "a: b\n",
    }
    found = read(files, kinds=dict.fromkeys(("one/library", "one/group_vars"), EntryKind.LINK))
    assert [(each.rule, each.path) for each in found] == [("ansible-plugin", "one/library")]


def test_aliases_are_walked_once() -> None:
    text = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    start = time.monotonic()
    assert bad(text, "vars.yml") == []
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("name", ["x.yml", "x.json", "templates/x", "x.j2"])
def test_what_is_too_large_is_denied_where_ansible_would_read_it(name: str) -> None:
    assert [rule for rule, _, _ in bad(b"a" * (LARGEST + 1), name)] == ["unreadable"]


def test_what_is_over_the_budget_is_denied() -> None:
    big = "# " + "x" * (LARGEST - 10) + "\n"
    files = {f"one/{number}.yml": big for number in range(BUDGET // LARGEST + 2)}
    assert "unreadable" in {each.rule for each in read(files)}


WORDS = st.sampled_from(
    [
        "- hosts:",
        "localhost",
        "{{",
        "}}",
        "{%",
        "%}",
        "lookup(",
        "'pipe'",
        ")",
        "\n",
        "  ",
        ":",
        "*a",
        "&a",
        "!vault",
        "<<",
    ]
)


@settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400) | st.lists(WORDS, max_size=30).map(lambda words: " ".join(words).encode()))
def test_no_bytes_make_it_raise(text: bytes) -> None:
    names = ("site.yml", "inventory.ini", "ansible.cfg", "x.j2", "requirements.yml", "group_vars/all", "x.json")
    read({f"one/{name}": text for name in names})


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "{a: " * 20_000, "- " * 20_000, "x: '{{ " + "(" * 20_000 + "'", "{{ " + "[" * 50_000]
)
def test_no_depth_makes_it_raise_or_take_long(text: str) -> None:
    start = time.monotonic()
    read({f"one/{name}": text for name in ("site.yml", "x.j2", "inventory.ini", "x.json")})
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("text", ["&a [*a]\n", "&a {b: *a, *a : c}\n", "a: *gone\n", "--- a\n" * 200, "? [a]\n: b\n"])
def test_circles_of_aliases_aliases_of_nothing_and_odd_keys_end(text: str) -> None:
    assert {rule for rule, _, _ in bad(text, "vars.yml")} <= {"unreadable"}


def test_what_is_merged_or_aliased_counts_where_it_is_written() -> None:
    text = "- hosts: web\n  vars:\n    x: &x {ansible_connection: local}\n  tasks:\n    - ping:\n      vars: *x\n"
    assert bad(text) == [("on-worker", "local", 3)]


# What is written here doubles, or is looked through again, with each line more: it must cost what its bytes cost.


def laughing(count: int) -> str:
    lines = ["- {source: &a0 [x, x]}"]
    lines += [f"- {{source: &a{each} [*a{each - 1}, *a{each - 1}]}}" for each in range(1, count)]
    return "\n".join(lines)


def test_what_repeats_itself_by_aliases_is_not_written_out() -> None:
    found = read({"one/requirements.yml": laughing(60)})
    assert {(each.rule, each.value) for each in found} == {("collection", "(not text)"), ("ansible-module", "source")}
    assert len(found) == 120


def test_a_module_named_by_no_text_is_a_module_nobody_allows_by_name() -> None:
    found = read({"one/site.yml": task("      action: {module: [command]}\n")})
    assert [each.value for each in found if each.rule == "ansible-module"] == ["(not text)"]


def test_many_keys_of_one_mapping_do_not_cost_their_number_squared() -> None:
    keys = "".join(f"    k{each}: 1\n" for each in range(20_000))
    started = time.process_time()
    read({"one/site.yml": f"- hosts: all\n  vars:\n{keys}"})
    assert time.process_time() - started < 5


@pytest.mark.parametrize("line", ["k{}=", "[{}]", "x", " {}", ";"])
def test_settings_are_read_or_refused_in_time_that_grows_with_their_bytes(line: str) -> None:
    settings = "".join(f"{line.format(each)}\n" for each in range(50_000))
    started = time.process_time()
    assert [each.rule for each in read({"one/ansible.cfg": f"[defaults]\n{settings}"})] == ["unreadable"]
    read({"one/ansible.cfg": "[defaults]\n" + settings[:4_000]})
    assert time.process_time() - started < 2


def test_each_setting_is_told_with_the_line_where_it_first_stands() -> None:
    found = read({"one/ansible.cfg": "[defaults]\nK0x : 1\n\nk0=\n[x]\n k0 = 1\n"})
    assert [(each.value, each.line) for each in found] == [("defaults.k0x", 2), ("defaults.k0", 4), ("x.k0", 4)]


def test_many_lookups_in_one_text_do_not_cost_their_number_squared() -> None:
    text = "{{lookup('pipe')}}" * 15_000
    started = time.process_time()
    found = read({"one/site.yml": task(f'      debug: {{msg: "{text}"}}\n')})
    assert time.process_time() - started < 6
    assert sum(each.rule == "lookup" for each in found) == 15_000


def test_a_number_that_python_does_not_take_is_a_lookup_that_nobody_can_foresee() -> None:
    assert ("lookup", "", 4) in bad(task('      debug: {msg: "{{ ' + "9" * 5000 + ' }}"}\n'))


def test_settings_nested_too_deep_are_denied() -> None:
    found = read({}, options={**OPTIONS, "extra_vars": {"a": "{{ " + "(" * 50_000 + " }}"}})
    assert [(each.rule, each.value) for each in found] == [("lookup", "")]


PLAY = "- hosts: web\n  tasks:\n    - ping:\n"
HIDDEN = "- shell: id\n  delegate_to: localhost\n"


@pytest.mark.parametrize(
    ("body", "name", "content"),
    [
        ("    - include_tasks: \"{{ 'more' ~ '.txt' }}\"\n", "more.txt", HIDDEN),
        ('    - include_vars: "{{ which }}"\n', "v.txt", "ansible_connection: local\n"),
        ("    - include_vars: {dir: vars, extensions: [txt]}\n", "vars/v.txt", "ansible_connection: local\n"),
        ("    - include_role: {name: r, tasks_from: a.b}\n", "roles/r/tasks/a.b", HIDDEN),
        ("", "host_vars/w1.example.com", "ansible_connection: local\n"),
        ("", "files/more.conf", HIDDEN),
    ],
)
def test_a_file_of_any_name_is_read_as_what_an_include_would_make_of_it(body: str, name: str, content: str) -> None:
    assert "on-worker" in {each.rule for each in read({"one/site.yml": PLAY + body, f"one/{name}": content})}


def test_what_is_too_large_to_be_read_is_denied_where_any_file_may_be_included() -> None:
    large = b"- shell: id\n" * (LARGEST // 10)
    computed = PLAY + '    - include_tasks: "{{ which }}"\n'

    assert "unreadable" in {each.rule for each in read({"one/site.yml": computed, "one/more.txt": large})}
    assert "unreadable" not in {each.rule for each in read({"one/site.yml": PLAY, "one/more.txt": large})}


def test_a_playbook_of_another_name_than_yaml_is_read_and_named() -> None:
    found = read({"one/site.txt": PLAY.replace("web", "localhost")}, options={"playbook": "site.txt"})

    assert {("include", "site.txt"), ("on-worker", "localhost")} <= {(each.rule, each.value) for each in found}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("- hosts: \"{{ 'local' ~ 'host' }}\"\n", "delegate"),
        ("- hosts: web\n  vars_prompt: [{name: ansible_connection, default: local}]\n", "on-worker"),
        (PLAY + "      loop: [local]\n      loop_control: {loop_var: ansible_connection}\n", "on-worker"),
        (PLAY + "      loop: [/x]\n      loop_control: {index_var: ansible_ssh_executable}\n", "worker-variable"),
        (PLAY + '      loop: [x]\n      loop_control: {loop_var: "{{ name }}"}\n', "worker-variable"),
        (PLAY + "      register: ansible_connection\n", "on-worker"),
        (PLAY + "    - set_fact:\n      args: \"{{ {'ansible_' ~ 'connection': 'local'} }}\"\n", "worker-variable"),
        (PLAY + "      vars: \"{{ {'ansible_' ~ 'connection': 'local'} }}\"\n", "worker-variable"),
        (PLAY + "    - set_fact: x=1 {{ name }}=local\n", "worker-variable"),
    ],
)
def test_a_variable_or_host_that_is_named_in_another_way_is_found(text: str, rule: str) -> None:
    assert rule in {found[0] for found in bad(text)}


def test_values_that_are_computed_are_no_names() -> None:
    assert not {"worker-variable", "on-worker"} & {
        each[0] for each in bad(PLAY + "    - set_fact: x={{ a }} y=1\n      register: done\n")
    }


@pytest.mark.parametrize(
    ("text", "rule"),
    [("[web.hosts]\nw1 = {ansible_connection = 'local'}\n", "on-worker"), ("[", "unreadable")],
)
def test_an_inventory_in_toml_is_read_too(text: str, rule: str) -> None:
    options = {"playbook": "site.yml", "inventory": ["hosts.toml"]}
    found = read({"one/site.yml": PLAY, "one/hosts.toml": text}, options=options)

    assert rule in {each.rule for each in found}
