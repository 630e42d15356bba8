"""Judges of plans: expressions of plan rules, evaluated in a process of their own."""
