"""`animus-routes new`: a project of one plugin that passes its own checks from the first minute.

What a plugin of a kind must serve, with which types, is in the role's table; what its functions do is
in `bodies/<kind>.toml`; what is around them is in `parts/`.
"""

from animus_routes.dev.new.files import files, write
from animus_routes.dev.new.project import Project, RefusedError, plan

__all__ = ["Project", "RefusedError", "files", "plan", "write"]
