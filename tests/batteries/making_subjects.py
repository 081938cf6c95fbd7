"""An app for the tests of batteries."""

from animus_routes import App


def subject_app() -> App:
    """A subject backend for tasks, with nothing registered."""
    return App(
        kind="subject_backend",
        name="animus-subject-test",
        version="1.0.0",
        description="Under test",
        subject_kinds=["task"],
    )
