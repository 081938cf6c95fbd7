"""`config_source`: where the host's workflow configuration comes from (no spec text; facts 11)."""

from animus_routes.roles import MethodRow, Role

ROLE = Role(
    kind="config_source",
    crate_version="0.2.0",
    notifications=("config/changed",),
    tokens={"config/write": "config_write"},
    methods=(
        MethodRow(
            "config/load",
            params="config.ConfigLoadRequest",
            result="config.ConfigLoadResponse",
            required=True,
            reads=True,
        ),
        MethodRow(
            "config/validate",
            params="config.ConfigValidateRequest",
            result="config.ConfigValidateResponse",
            reads=True,
        ),
        MethodRow(
            "config/write",
            params="config.ConfigWriteRequest",
            result="config.ConfigWriteResponse",
        ),
    ),
)
