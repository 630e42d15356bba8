"""Pure core: values in, values out. No I/O, no clock, no environment, no randomness.

Imports nothing of ``bot`` but ``bot.core``; import-linter holds it.
"""
