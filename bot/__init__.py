"""Headgate: the gate between Git and infrastructure.

A webhook is only a hint: it is stored and marks one *change* dirty. A worker *advances* the change:
gather (all reads) -> decide (pure) -> perform (all writes). See ``docs/architecture.md``.

The map, and who may import whom (import-linter holds it)::

    cli  web  work          entry points
        wiring              the only module that knows concrete adapters
         flow               gather, perform, run
    hosts tools chats stores queues sandbox     adapters; none imports another
        ports               Protocols, by role
         core               pure: values in, values out

The words: a *change* is a pull or merge request; a *project* is directory + tool + environment; a *target*
is what a project really writes; a *plan* holds an *effect set*; the *gate* is the verdict that must be open;
a *gate record* is its immutable proof; a *run* is one execution for one project; the *face* is what people
see of a change; an *effect* is something the bot will do; a *wave* may deploy together.
"""

__version__ = "0.1.0"
