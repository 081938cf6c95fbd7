"""`custom`: any method the author names, and MCP tools (spec section 5)."""

from animus_routes.roles import Role

ROLE = Role(kind="custom", crate="plugin", open=True, tools=True)
