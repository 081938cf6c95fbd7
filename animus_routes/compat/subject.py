"""What subject backends are written with, under the class-based SDK's name."""

# ruff: noqa: F403 - the names of the role, and `gen`

from animus_routes.compat.results import ensure_wire_subject
from animus_routes.compat.roles import subject as _role
from animus_routes.compat.roles.subject import *
from animus_routes.compat.types.generated import subject as gen

__all__ = ["ensure_wire_subject", "gen"]
__all__ += _role.__all__
