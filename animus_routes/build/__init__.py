"""One executable file for a host: `file` makes it, `start` is what runs in it.

Nothing that serves imports this room, but a built file itself (`start`).
"""
