"""The face: what people see of a change on the host. ``compose`` makes a value of it, ``render`` makes Markdown.

Every blocker names who can remove it and the exact words to type. Everything that comes from a repository, a tool
or a person is hostile until it went through ``markdown``.
"""
