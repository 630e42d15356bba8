"""The demo's infrastructure repository: Ansible and a command always, Terraform where its binary is found."""

from __future__ import annotations

import shutil
from pathlib import Path

SITE = """\
- name: The status page
  hosts: web
  gather_facts: false
  vars_files: [settings.yml]
  tasks:
    - name: a place for the site
      ansible.builtin.file:
        path: "{{ lookup('env', 'LIVE') }}/web"
        state: directory
        mode: "0755"
    - name: the listener
      ansible.builtin.copy:
        dest: "{{ lookup('env', 'LIVE') }}/web/listener.conf"
        content: "listen {{ listen_port }};\\nserver_name status.example.org;\\n"
        mode: "0644"
    - name: the page
      ansible.builtin.copy:
        dest: "{{ lookup('env', 'LIVE') }}/web/index.html"
        content: "<h1>{{ greeting }}</h1>\\n"
        mode: "0644"
"""

INVENTORY = "[web]\nlocalhost ansible_connection=local ansible_python_interpreter=auto_silent\n"

TERRAFORM = """\
terraform {{
  backend "local" {{
    path = "{live}/edge.tfstate"
  }}
}}

locals {{
  port = {port}
}}

resource "terraform_data" "listener" {{
  input = {{ name = "status", port = local.port }}
}}

resource "terraform_data" "health_check" {{
  input = {{ path = "/healthz", every = "10s" }}
}}
"""

PLAN = """\
#!/bin/sh
# Says what apply would do: the records of records.txt against the live zone.
set -eu
live="$LIVE/dns/zone.txt"
[ -f "$live" ] || live=/dev/null
python3 - "$live" records.txt <<'PY'
import json, sys
def read(path):
    return dict(line.split(None, 1) for line in open(path).read().splitlines() if line.strip())
old, new = read(sys.argv[1]), read(sys.argv[2])
changes = []
for name in sorted(old.keys() | new.keys()):
    before, after = old.get(name), new.get(name)
    if before != after:
        action = "create" if before is None else "delete" if after is None else "update"
        changes.append({"address": f"record.{name}", "action": action,
                        "before": None if before is None else {"value": before},
                        "after": None if after is None else {"value": after}})
print(json.dumps({"changes": changes}))
PY
"""

APPLY = """\
#!/bin/sh
set -eu
mkdir -p "$LIVE/dns"
cp records.txt "$LIVE/dns/zone.txt.new"
mv "$LIVE/dns/zone.txt.new" "$LIVE/dns/zone.txt"
"""

RECORDS = "status 192.0.2.10\nwww 192.0.2.11\n"
POLICIES = ".headgate/policies/dns.yaml"
RULES = """\
version: 1
rules:
  - name: rules of the DNS team
    description: The DNS team agrees to its rules, and to exceptions from them
    if: {changed_files: {paths: [".headgate/**"]}}
    require: {count: 1, people: {teams: [acme/dns]}}
plans:
  - name: records stay
    description: A DNS record that somebody may use is removed
    addresses: ["record.*"]
    actions: [delete]
    fix: keep it, or have the DNS team agree to an exception
"""
EXCEPTION = """\
exceptions:
  - {rule: records stay, resources: [record.www], owner: cy, reason: the site moved, until: 2999-12-31}
"""

README = """\
# Infrastructure of acme

Whatever runs is described here, and only what was merged here runs. Open a {noun}; Headgate shows what it
would do, waits for the approvals that production needs, and deploys it once it is merged.
"""


def has_terraform() -> bool:
    """Whether the tour can show Terraform."""
    return shutil.which("terraform") is not None


def config() -> str:
    """The repository's own ``.headgate.yaml``."""
    lines = ["version: 1", "projects:"]
    if has_terraform():
        lines.append("  - {name: edge-prod, path: edge, tool: terraform, environment: prod}")
    after = ", depends_on: [edge-prod]" if has_terraform() else ""
    lines.append(
        "  - {name: web-prod, path: web, tool: ansible, environment: prod, playbook: site.yml, "
        f"inventory: [inventory.ini]{after}}}"
    )
    lines.append(
        "  - {name: dns-dev, path: dns, tool: command, environment: dev, "
        'plan: ["sh", "plan.sh"], apply: ["sh", "apply.sh"]}'
    )
    return "\n".join(lines) + "\n"


def terraform(live: Path, port: int) -> str:
    """``edge/main.tf`` with this port; its state lives with the rest of what is live."""
    return TERRAFORM.format(live=live, port=port)


def settings(port: int, greeting: str) -> str:
    """``web/settings.yml``."""
    return f'listen_port: {port}\ngreeting: "{greeting}"\n'


def files(live: Path, noun: str) -> dict[str, str]:
    """Every file of the first commit; ``noun`` is what the host calls a change."""
    found = {
        "README.md": README.format(noun=noun),
        ".headgate.yaml": config(),
        "web/site.yml": SITE,
        "web/inventory.ini": INVENTORY,
        "web/settings.yml": settings(80, "All systems go"),
        "dns/plan.sh": PLAN,
        "dns/apply.sh": APPLY,
        "dns/records.txt": RECORDS,
        POLICIES: RULES,
    }
    if has_terraform():
        found["edge/main.tf"] = terraform(live, 80)
    return found


SERVER = """\
version: 1
instance: demo
data: {data}
listen: {{webhooks: "127.0.0.1:{webhooks}", pages: "127.0.0.1:{pages}"}}
hosts:
  {host}:
    url: {api}
    token_file: {data}/token
    webhook_secret_file: {data}/hook
repositories:
  - match: {host}/acme/infra
    branches: [main]
    mode: enforce
    environments: {{prod: ["web/**", "edge/**"], dev: ["**"]}}
environments:
  dev:
    approvals: 0
    plan: {{env: {{LIVE: {live}}}, readable: [{live}]}}
    deploy: {{env: {{LIVE: {live}}}, writable: [{live}]}}
  prod:
    approvals: 1
    survive: same_effects
    after: [dev]
    plan: {{env: {{LIVE: {live}}}, readable: [{live}]}}
    deploy: {{env: {{LIVE: {live}}}, writable: [{live}]}}
chat:
  - when: [started, succeeded, failed, waiting, stray]
    to: {{webhook: {{url: "{chat}", secret_file: {data}/chat}}}}
# The demo plays on machines without bubblewrap too.
sandbox: {{isolation: when_possible}}
limits: {{quiet_plan: 5s}}
"""
