"""`config_source`: where the host's workflow configuration comes from (no spec text; facts 11)."""

from animus_routes.roles import Method, Role

ROLE = Role(
    kind="config_source",
    crate_version="0.1.1",
    notifications=("config/changed",),
    tokens={"config/write": "config_write"},
    methods=(
        Method(
            "config/load",
            params="config.ConfigLoadRequest",
            result="config.ConfigLoadResponse",
            required=True,
        ),
        Method(
            "config/validate",
            params="config.ConfigValidateRequest",
            result="config.ConfigValidateResponse",
        ),
        Method(
            "config/write",
            params="config.ConfigWriteRequest",
            result="config.ConfigWriteResponse",
        ),
    ),
)
