"""For whoever writes a plugin: begin one, record a conversation, replay it, restart on changes, a shell.

Nothing of the serving path imports this.
"""
