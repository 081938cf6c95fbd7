"""The framework with handlers typed by its pydantic models."""

import work_pydantic
from rows import NAME_PREFIX

from animus_routes import App

app = App(
    kind="subject_backend",
    name=f"{NAME_PREFIX}-types",
    version="1.0.0",
    description="The framework with pydantic models",
    subject_kinds=["task"],
)
app.method("subject/get")(work_pydantic.get)
app.method("subject/list")(work_pydantic.list_subjects)
app.method("subject/create")(work_pydantic.create)
app.method("subject/status")(work_pydantic.status)
app.method("subject/watch")(work_pydantic.watch)


def main() -> None:
    app.run()
