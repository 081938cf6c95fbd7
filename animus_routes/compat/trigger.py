"""What trigger backends are written with, under the class-based SDK's name."""

# ruff: noqa: F403 - the names of the role, and `gen`

from animus_routes.compat.roles import trigger as _role
from animus_routes.compat.roles.trigger import *
from animus_routes.compat.types.generated import trigger as gen

__all__ = ["gen"]
__all__ += _role.__all__
