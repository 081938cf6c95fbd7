"""`durable_store`: steps of a workflow phase, committed exactly once (spec section 7.7)."""

from animus_routes.roles import MethodRow, Role


def _method(verb: str, name: str, *, reads: bool = False) -> MethodRow:
    return MethodRow(
        f"durable/{verb}",
        params=f"durable_store.{name}Request",
        result=f"durable_store.{name}Response",
        required=True,
        reads=reads,
    )


ROLE = Role(
    kind="durable_store",
    crate_version="0.1.0",
    extra="durable_store.DurableStoreCapabilities",
    methods=(
        _method("begin_workflow_run", "BeginWorkflowRun"),
        _method("begin_step", "BeginStep"),
        _method("commit_step", "CommitStep"),
        _method("abandon_step", "AbandonStep"),
        _method("recover_in_flight", "RecoverInFlight"),
        _method("query_run", "QueryRun", reads=True),
    ),
)
