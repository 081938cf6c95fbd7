"""`web_ui`: a marker beside `transport_backend`; it has lifecycle methods only."""

from animus_routes.roles import Role

ROLE = Role(kind="web_ui")
