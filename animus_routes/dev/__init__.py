"""For whoever writes a plugin: record a conversation, replay it, restart on changes, a shell.

Nothing of the serving path imports this.
"""
