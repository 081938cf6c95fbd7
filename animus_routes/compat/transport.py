"""What transports are written with, under the class-based SDK's name."""

# ruff: noqa: F403 - the names of the role, and `gen`

from animus_routes.compat.roles import transport as _role
from animus_routes.compat.roles.transport import *
from animus_routes.compat.types.generated import transport as gen

__all__ = ["gen"]
__all__ += _role.__all__
