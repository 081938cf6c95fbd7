"""The wire types of animus-config-protocol and animus-queue-protocol and animus-subject-protocol
and animus-workflow-runner-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-config-protocol/_all.json sha256
  95af8a65351338e73e581dfb36cd9f1817e21499f43d0bf458b7ca96fadb8dbd
- schemas/patches.json sha256 41af2951c97922bedea1c6b2dba1cd34786cdc0742f45a0d9fb40f337d4b5e40
- schemas/animus-queue-protocol/_all.json sha256
  f9d03104793888209863f6b3602fd7c763342a83390b914efb427e7587cdc688
- schemas/animus-subject-protocol/_all.json sha256
  770098b5157521b8ebac259b02cfadbfbc7c7b1078120c5f9525c2e1ce85df74
- schemas/additions/animus-subject-protocol.json sha256
  b1bbffd3ecbdd1756dfab67eb69d0e16c083a40a18af5563fd801950783d3e3c
- schemas/animus-workflow-runner-protocol/_all.json sha256
  d414e93e6d7f477babbb7ab439c6097667a69bf90e3fa5cc7ae2c34c01f49895
"""

from animus_routes.structs._struct import WireStruct

__all__ = [
    "Actor",
]


class Actor(WireStruct, kw_only=True):
    """Who is behind a call, as the transport asserts it after it has authenticated the caller. The
    host hands it on as it is; plugins use it to decide what the caller may see.
    """

    user_id: str
    """Stable identifier for the authenticated user. Opaque to the kernel; plugins use it to scope
    owned rows to a user.
    """

    claims: list[str] = []
    """Transport-asserted claims (e.g. `["admin"]`). Advisory only: the kernel never branches on
    these. A plugin may consult them for its own authorization decisions. Omitted from the wire
    when empty.
    """

    tenant_id: str | None = None
    """Optional tenant / organization partition the user belongs to. Plugins use it for
    multi-tenant data isolation. Omitted from the wire when absent.
    """
