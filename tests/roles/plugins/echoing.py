"""A workflow runner whose result tells what it was asked."""

from typing import Any

from animus_routes import App, Context

app = App(kind="workflow_runner", name="echoing", version="1.0.0", description="Tells")


@app.method("workflow/execute")
def execute(params: dict[str, Any], ctx: Context) -> dict[str, Any]:
    return {
        "workflow_id": params.get("workflow_id") or params.get("new_workflow_id") or "made",
        "workflow_ref": params.get("workflow_ref") or "",
        "workflow_status": "completed",
        "subject_id": "",
        "execution_cwd": ctx.project_root,
        "phases_requested": [],
        "phase_results": [],
        "phases_completed": 0,
        "phases_total": 0,
        "total_duration_secs": 0,
        "post_success": {"params": params, "actor": ctx.actor},
        "success": True,
    }


@app.method("workflow/run_phase")
def run_phase(params: dict[str, Any]) -> dict[str, Any]:
    return {"phase_status": "completed", "duration_secs": 0, "outcome": None, "metadata": None}


if __name__ == "__main__":
    app.run()
