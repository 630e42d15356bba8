"""The static guard: what a change's code would run or fetch, judged before any of it runs. Pure decisions over facts
that tools read from the tree; nothing of the change is executed, and what cannot be read is denied.
"""
