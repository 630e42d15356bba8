"""Ansible: check mode with our own callback as the plan."""
