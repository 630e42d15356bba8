"""The shell: gather (all reads), perform (all writes), advance (both, around ``decide``), run (one execution).

Knows ports and core, never a concrete adapter.
"""
