"""`web_ui`: a marker used together with `transport_backend`; it has only lifecycle methods."""

from animus_routes.roles import Role

ROLE = Role(kind="web_ui")
