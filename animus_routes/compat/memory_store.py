"""What memory stores are written with, under the class-based SDK's name."""

# ruff: noqa: F403 - the names of the role, and `gen`

from animus_routes.compat.roles import memory_store as _role
from animus_routes.compat.roles.memory_store import *
from animus_routes.compat.types.generated import memory_store as gen

__all__ = ["gen"]
__all__ += _role.__all__
