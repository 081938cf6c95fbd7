from answering import app, method

from animus_routes.structs.subject import Subject


@method("x/same")
def same(task: Subject) -> Subject:
    return task


if __name__ == "__main__":
    app.run()
