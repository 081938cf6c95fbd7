# hello.py
from animus_routes import App
from animus_routes.structs.subject import Subject

app = App(
    kind="subject_backend",
    name="animus-subject-hello",
    version="0.1.0",
    description="One task, kept in memory",
    subject_kinds=["task"],
)
TASKS = {"task:1": Subject(id="task:1", kind="task", title="Say hello")}


@app.method("subject/list")
def list_tasks() -> list[Subject]:
    return list(TASKS.values())


@app.method("subject/get")
def get_task(id: str) -> Subject | None:
    return TASKS.get(id)


if __name__ == "__main__":
    app.run()
