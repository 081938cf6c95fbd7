"""A page to look at a plugin: what it says of itself, its methods as forms, every frame as it comes.

`animus-routes inspect` starts it. It needs the packages of the extra `inspect`; nothing else of the
framework imports it.
"""
