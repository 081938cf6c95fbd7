"""The wire types of animus-execution-protocol, as pydantic models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-execution-protocol/_all.json sha256
  a1d773a9ff6729e52a7ca19f0f8dd9c4d2c64749ef99fe7cbf70e4972f9e4511
"""

from pydantic import ConfigDict, Field

from animus_routes.types._model import Timestamp, UInt32, UInt64, WireModel, is_null

__all__ = [
    "ExecutionFence",
    "QueueLeaseFence",
    "RepositoryReservation",
    "SubjectGeneration",
]


class QueueLeaseFence(WireModel):
    """Compare-and-swap identity for the queue lease currently owning a workflow."""

    model_config = ConfigDict(extra="forbid")

    entry_id: str
    """Stable queue-entry id."""

    owner_id: str
    """Daemon/scheduler instance currently authorized to renew or terminalize the lease."""

    generation: UInt64
    """Positive monotonic lease generation. Recovery transfers ownership by incrementing this
    value, fencing the previous daemon instance.
    """

    expires_at: Timestamp
    """Backend-clock expiry. Expiry makes the lease recoverable, never an ordinary fresh-leasing
    candidate.
    """

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "QueueLeaseFence")


class RepositoryReservation(WireModel):
    """Repository/ref ownership reserved for one execution generation."""

    model_config = ConfigDict(extra="forbid")

    repository: str
    """Canonical repository identity. Hosts should use a normalized remote URL or provider
    `owner/name` identity and compare it case-insensitively where the provider does.
    """

    base_ref: str
    """Fully-qualified base ref, for example `refs/heads/main`."""

    head_ref: str
    """Fully-qualified mutable head ref owned by this run, for example
    `refs/heads/animus/TASK-1175`.
    """

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "RepositoryReservation")


class SubjectGeneration(WireModel):
    """A canonical subject identity and the immutable generation being executed."""

    model_config = ConfigDict(extra="forbid")

    qualified_id: str
    """Canonical qualified id in `<kind>:<native-id>` form."""

    generation: UInt64
    """Positive backend/queue generation. A later generation cannot be satisfied by work or proof
    from an earlier one.
    """

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "SubjectGeneration")


class ExecutionFence(WireModel):
    """Complete ownership envelope for one workflow execution generation."""

    model_config = ConfigDict(extra="forbid")

    schema_: str = Field(validation_alias="schema", serialization_alias="schema")
    """Stable schema id; must equal `EXECUTION_FENCE_SCHEMA_ID`."""

    version: UInt32
    """Schema version; must equal `EXECUTION_FENCE_VERSION`."""

    workflow_id: str
    """Stable workflow id. Recovery preserves this id."""

    workflow_generation: UInt64
    """Positive workflow generation. Reattachment keeps it; an intentional new execution generation
    must increment it.
    """

    queue_lease: QueueLeaseFence | None = Field(default=None, exclude_if=is_null)
    """Queue lease CAS identity. Direct execution may omit it."""

    repository: RepositoryReservation | None = Field(default=None, exclude_if=is_null)
    """Repository/ref reservation. Non-code workflows may omit it; coding schedulers must require
    it before workspace preparation.
    """

    subject: SubjectGeneration | None = Field(default=None, exclude_if=is_null)
    """Subject generation, absent only for a genuinely subjectless workflow."""

    def check(self) -> None:
        """Hold the rules that the schema cannot say.

        Raises:
            Invalid: Some do not hold; each issue names the field.
        """
        from animus_routes.rules import check

        check(self, "ExecutionFence")
