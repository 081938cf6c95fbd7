"""What log storage backends are written with, under the class-based SDK's name."""

# ruff: noqa: F403 - the names of the role, and `gen`

from animus_routes.compat.roles import log_storage as _role
from animus_routes.compat.roles.log_storage import *
from animus_routes.compat.types.generated import log_storage as gen

__all__ = ["gen"]
__all__ += _role.__all__
