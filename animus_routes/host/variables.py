"""The variables that a host passes on; a module of its own, because it costs nothing to load."""

from typing import Final

BASE_VARIABLES: Final = (
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "TERM",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "TZ",
)
"""The variables that a plugin inherits without asking for them in `env_required`."""
