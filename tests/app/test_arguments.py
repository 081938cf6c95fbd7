"""The start-up report on what `App(...)` was given: one line for each mistake, and where it is."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from making import custom_app, full_app, subject_app

from animus_routes import App, ConfigurationError
from animus_routes.compat import DefinitionError, define_plugin
from animus_routes.structs.queue import QueueCapabilities


def report(app: App) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        app.check()
    return caught.value.problems


def this_line() -> str:
    """`file:line` of the caller, as the report writes it."""
    frame = sys._getframe(1)
    return f"tests/app/test_arguments.py:{frame.f_lineno}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"subject_kinds": "task"}, "App(subject_kinds='task') is not a list: write"),
        ({"env_required": "TOKEN"}, "App(env_required='TOKEN') is not a list: write"),
        ({"env_required": {"name": "TOKEN"}}, "is not a list: write env_required=[{'name': "),
        ({"capabilities": "$vendor/x"}, "write capabilities=['$vendor/x']"),
        ({"projections": "board"}, "write projections=['board']"),
        ({"kind": None, "kinds": "subject_backend"}, "write kinds=['subject_backend']"),
        ({"capabilities": None}, "App(capabilities=None) is not a list"),
        ({"subject_kinds": ["task", 3]}, "App(subject_kinds=[3]): a kind is exact"),
        ({"env_required": [3]}, "App(env_required=[3]): write a variable's name"),
        ({"env_required": [{"nam": "X"}]}, "App(env_required=[{'nam': 'X'}]): write a variable's"),
        ({"log_format": "xml"}, "App(log_format='xml') is neither 'text' nor 'json'"),
        ({"log_format": ["text"]}, "App(log_format=['text']) is neither"),
        ({"version": "0.1"}, "App(version='0.1') is not semver, such as '1.0.0'"),
        ({"version": 2}, "App(version=2) is not semver"),
        ({"version": ""}, "App(version=...) is empty"),
        ({"name": None}, "App(name=...) is empty"),
        ({"description": 3}, "App(description=3) is not a string"),
        ({"lifespan": 3}, "App(lifespan=3) is not a function"),
        ({"concurrency": "8"}, "App(concurrency='8') has to be a number, at least 1"),
        ({"concurrency": 0}, "App(concurrency=0) has to be a number, at least 1"),
        ({"log_format": None}, "App(log_format=None) is neither 'text' nor 'json'"),
        ({"log_entries": "no"}, "App(log_entries='no') is neither True nor False"),
        ({"exit_on_broken_stream": "no"}, "App(exit_on_broken_stream='no') is neither True nor"),
        ({"supports_mcp": "no"}, "App(supports_mcp='no') is not True, False or None"),
        ({"notification_buffer_size": -4}, "App(notification_buffer_size=-4) has to be a number"),
        ({"notification_buffer_size": "many"}, "size='many') has to be a number, at least 0"),
        ({"notification_buffer_size": True}, "App(notification_buffer_size=True) has to be"),
        ({"name": "My Plugin!"}, "App(name='My Plugin!') has to be one word"),
        ({"kind": ["custom"]}, "App(kind=['custom']) is not the name of a kind"),
        ({"kind": 3}, "App(kind=3) is not the name of a kind, such as 'custom'"),
        ({"kind": None, "kinds": [["x"]]}, "App(kind=['x']) is not the name of a kind"),
        ({"kind": None, "kinds": None}, "App(kinds=None) is not a list"),
        ({"kinds": "subject_backend"}, "App(kinds='subject_backend') is not a list: write"),
        ({"kind_capabilities": "queue"}, "App(kind_capabilities='queue') is not a dict by kind"),
        ({"kind_capabilities": ["queue"]}, "App(kind_capabilities=['queue']) is not a dict"),
        ({"kind_capabilities": {"subject_backen": {}}}, "did you mean 'subject_backend'?"),
        ({"kind": "subjec_backend", "kind_capabilities": {"subject_backend": {}}}, "did you mean"),
        ({"kind_capabilities": {"queue": {}}}, "...}): the app is not of kind 'queue'"),
        ({"kind_capabilities": {"subject_backend": {}}}, "of this kind has no entry in"),
        ({"subject_kinds": ["task", "task"]}, "=['task', 'task']) names 'task' twice"),
        ({"subject_kinds": ["Task Kind"]}, "App(subject_kinds=['Task Kind']): a kind is exact"),
        ({"subject_kinds": None}, "App(subject_kinds=None) is not a list"),
        ({"subject_kinds": b"task"}, "App(subject_kinds=b'task') is not a list"),
        ({"env_required": ["A B"]}, "App(env_required=['A B']): write a variable's name"),
        ({"env_required": [{"name": "A=1"}]}, "write a variable's name"),
        ({"env_required": [{"name": "X", "requird": False}]}, "did you mean 'required'?"),
        ({"env_required": [{"name": "X", "required": "no"}]}, "'required' has to be True or False"),
        ({"env_required": {"X": "required"}}, "is not a list: write env_required=['X']"),
    ],
)
def test_an_argument_that_cannot_be_is_told_in_one_line_with_the_place_of_the_app(
    given: dict[str, Any], said: str
) -> None:
    app = full_app(**given)
    (problem,) = report(app)
    assert problem.startswith("tests/app/making.py:")
    assert said in problem


@pytest.mark.parametrize(
    "version",
    ["1.0", "v1.0.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.x", "1.0.0-a..b"],
)
def test_a_version_that_is_not_semver_is_told(version: str) -> None:
    (problem,) = report(full_app(version=version))
    assert "is not semver" in problem


@pytest.mark.parametrize(
    "version",
    ["0.0.0", "1.20.300", "1.0.0-rc.1", "1.0.0-0a", "1.0.0--", "1.0.0+01.sha", "1.0.0-a+b-c"],
)
def test_a_version_that_is_semver_is_left_alone(version: str) -> None:
    full_app(version=version).check()


def test_lists_of_every_sort_are_left_alone() -> None:
    app = full_app(
        subject_kinds=(kind for kind in ["task"]),
        env_required=("TOKEN", {"name": "KEY", "sensitive": True}),
        capabilities={"$vendor/x": 1}.keys(),
        log_format="json",
    )
    app.check()
    assert app.manifest()["env_required"][0]["name"] == "TOKEN"


def test_the_place_is_where_the_app_was_called() -> None:
    where = this_line(), App(kind="custom", name="n", version="1", description="d")
    where[1].method("x/do")(lambda: None)
    assert report(where[1]) == [f"{where[0]}: App(version='1') is not semver, such as '1.0.0'"]


class OwnApp(App):
    def __init__(self, **options: Any) -> None:
        super().__init__(kind="custom", name="own", description="d", **options)


class OwnOwnApp(OwnApp):
    def __init__(self, version: str) -> None:
        super().__init__(version=version)


def test_the_place_of_a_subclass_is_where_it_was_called() -> None:
    where = this_line(), OwnOwnApp("1")
    assert report(where[1])[0].startswith(f"{where[0]}: ")


def test_the_place_of_a_defined_plugin_is_where_it_was_defined() -> None:
    with pytest.raises(DefinitionError) as caught:
        define_plugin("notifier", object(), name="n", version="1", description="d")
    line = test_the_place_of_a_defined_plugin_is_where_it_was_defined.__code__.co_firstlineno + 2
    assert caught.value.problems[0].startswith(f"tests/app/test_arguments.py:{line}: App(version")


def test_an_unknown_kind_has_the_place_of_the_app() -> None:
    (problem,) = report(custom_app(kinds=["queu"]))
    assert problem.startswith("tests/app/making.py:")
    assert "did you mean 'queue'?" in problem


def test_kinds_that_come_after_the_first_check_are_noticed() -> None:
    app = full_app()
    app.check()
    app.kinds.append("queue")
    assert any("is required for kind 'queue'" in problem for problem in report(app))
    app.kinds.pop()
    app.subject_kinds.append("issue")
    assert "issue/list" in app.manifest()["capabilities"]
    app.subject_kinds[:] = ["note"]
    assert "note/get" in app.manifest()["capabilities"]
    assert "task/get" not in app.manifest()["capabilities"]


@pytest.mark.parametrize(
    ("name", "given"),
    [("kinds", "subject_backend"), ("subject_kinds", "note"), ("env_required", "TOKEN")],
)
def test_a_string_that_is_assigned_later_is_told_until_a_list_takes_its_place(
    name: str, given: str
) -> None:
    app = full_app()
    before = getattr(app, name)
    setattr(app, name, given)
    (problem,) = report(app)
    assert problem.endswith(f"App({name}={given!r}) is not a list: write {name}=[{given!r}]")
    setattr(app, name, tuple(before))
    app.check()


def test_what_each_kind_declares_may_be_a_dict_or_the_wire_type() -> None:
    extra = QueueCapabilities(priority_weighted=True)
    app = custom_app(
        kinds=["queue", "notifier"], kind_capabilities={"queue": extra, "notifier": {"a": 1}}
    )
    assert not any("kind_capabilities" in problem for problem in report(app))


def test_what_a_kind_declares_is_a_dict_or_the_wire_type() -> None:
    app = custom_app(kinds=["notifier"], kind_capabilities={"notifier": 1})
    assert (
        "App(kind_capabilities={'notifier': 1}): write a dict, or the kind's type" in report(app)[0]
    )


def test_a_string_that_is_added_to_a_list_is_told_and_is_not_its_letters() -> None:
    app = full_app()
    app.subject_kinds += "note"
    assert app.subject_kinds == ["task", "note"]
    (problem,) = report(app)
    assert problem.endswith(
        "app.subject_kinds += 'note' adds letters: write app.subject_kinds += ['note']"
    )
    app.subject_kinds = ["task"]
    app.subject_kinds += ["note"]
    app.check()


def test_a_subject_kind_that_is_no_string_does_not_stop_the_report() -> None:
    app = full_app(subject_kinds=[3, ["task"]])
    app.method("note/get")(lambda: None)
    assert len(report(app)) == 3


def test_a_required_method_that_nobody_serves_has_the_place_of_the_app() -> None:
    where = this_line(), App(kind="queue", name="n", version="1.0.0", description="d")
    assert all(problem.startswith(f"{where[0]}: 'queue/") for problem in report(where[1]))


def test_a_handler_that_takes_another_ones_place_is_noticed() -> None:
    app, other = custom_app(), custom_app()
    app.method("x/do")(lambda: 1)
    other.method("x/other")(lambda: 1)
    app.check()
    app.registrations[:] = other.registrations
    assert app.manifest()["capabilities"] == ["x/other", "health/check"]


def test_a_slip_in_a_required_methods_name_is_one_line() -> None:
    app = subject_app()
    app.method("subject/lst")(lambda: None)
    app.method("subject/get")(lambda: None)
    (problem,) = report(app)
    assert "unknown method 'subject/lst'; did you mean 'subject/list'?" in problem
