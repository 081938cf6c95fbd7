"""The wire types of animus-config-protocol and animus-queue-protocol and
animus-workflow-runner-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-config-protocol/_all.json sha256
  ea23fea1c4ddd9678a1effb2ac300fa5410ac19629a8369a6ef2bf7ba758aa76
- schemas/animus-queue-protocol/_all.json sha256
  b29e459e57777d1f67ae87c8a3ee341d8a8ba8230c0d3c0ecfb1dbe5b6a8994c
- schemas/patches.json sha256 3084e2a7b813f0c7c15748a9b9a6abeafab3428ad9677c152cdd9532cfeb4ec4
- schemas/animus-workflow-runner-protocol/_all.json sha256
  651b63d265e370f5ab89896eb68043f702b0007f0f7de462dcaeeb565d6927f4
"""

from animus_routes.structs._struct import WireStruct

__all__ = [
    "Actor",
]


class Actor(WireStruct, kw_only=True):
    """An opaque, transport-asserted caller identity.

    Constructed by the transport after it authenticates the caller, relayed verbatim by the
    kernel, and consumed only by plugins for data scoping. See the crate-level docs for the full
    contract.
    """

    user_id: str
    """Stable identifier for the authenticated user. Opaque to the kernel; plugins use it to scope
    owned rows to a user.
    """

    claims: list[str] = []
    """Transport-asserted claims (e.g. `["admin"]`). Advisory only: the kernel never branches on
    these. A plugin MAY consult them for its own authorization decisions. Omitted from the wire
    when empty.
    """

    tenant_id: str | None = None
    """Optional tenant / organization partition the user belongs to. Plugins use it for
    multi-tenant data isolation. Omitted from the wire when absent.
    """
