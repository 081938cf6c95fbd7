"""`custom`: any method the author names, and MCP tools (spec section 5)."""

from animus_routes.roles import Role

ROLE = Role(kind="custom", open=True, tools=True)
