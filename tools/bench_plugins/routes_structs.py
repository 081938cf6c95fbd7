"""The framework with handlers typed by its msgspec Structs."""

import work_structs
from rows import NAME_PREFIX

from animus_routes import App

app = App(
    kind="subject_backend",
    name=f"{NAME_PREFIX}-structs",
    version="1.0.0",
    description="The framework with msgspec Structs",
    subject_kinds=["task"],
)
app.method("subject/get")(work_structs.get)
app.method("subject/list")(work_structs.list_subjects)
app.method("subject/create")(work_structs.create)
app.method("subject/status")(work_structs.status)
app.method("subject/watch")(work_structs.watch)


def main() -> None:
    app.run()
