"""An author's bug is a -32603 with an error id; it never ends the process or the link."""

from collections.abc import Iterator

import pytest
from engine_host import WAIT_S, error_of, ping_s, probe, reply_error, stderr_with

from animus_routes.host import Plugin

INTERNAL = -32603
RAISED = [
    "exit", "keyboard", "generator", "memory", "recursion", "stop", "base", "cancelled", "type",
    "nasty", "own",
]  # fmt: skip
UNWRITABLE = ["object", "generator", "function", "endless", "big", "key"]


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with probe() as started:
        yield started


@pytest.mark.parametrize("method", ["x/raise", "x/raise_thread", "x/raise_async"])
@pytest.mark.parametrize("what", RAISED)
def test_whatever_a_handler_raises_is_an_internal_error(
    plugin: Plugin, method: str, what: str
) -> None:
    error = error_of(plugin, method, {"what": what})
    assert error.code == INTERNAL
    assert error.message == (
        f"internal error {error.data['error_id']}; the traceback is on the plugin's stderr, "
        "which the daemon has in its events"
    )
    assert error.data["error_id"] in stderr_with(plugin, error.data["error_id"])
    ping_s(plugin)


def test_endless_recursion_is_an_internal_error(plugin: Plugin) -> None:
    assert error_of(plugin, "x/recurse").code == INTERNAL


@pytest.mark.parametrize("method", ["x/result", "x/result_thread", "x/result_async"])
@pytest.mark.parametrize("what", UNWRITABLE)
def test_a_result_that_cannot_be_written_is_an_internal_error(
    plugin: Plugin, method: str, what: str
) -> None:
    assert error_of(plugin, method, {"what": what}).code == INTERNAL
    ping_s(plugin)


@pytest.mark.parametrize(
    ("what", "written"),
    [("nan", None), ("set", [1]), ("bytes", "YWJj"), ("int", 2**200), ("surrogate", "\ufffd")],
)
def test_what_json_has_a_form_for_is_written(plugin: Plugin, what: str, written: object) -> None:
    assert plugin.call("x/result", {"what": what}, timeout_s=WAIT_S) == written


def test_a_result_just_under_the_hosts_limit_goes_out(plugin: Plugin) -> None:
    assert len(plugin.call("x/result", {"what": "fits"}, timeout_s=WAIT_S)) > 8_000_000


def test_answers_before_an_unwritable_one_are_kept(plugin: Plugin) -> None:
    ids = [plugin.request("x/echo", {"n": n}) for n in range(50)]
    bad = plugin.request("x/result", {"what": "object"})
    assert [plugin.reply(one, WAIT_S)["n"] for one in ids] == list(range(50))
    assert reply_error(plugin, bad).code == INTERNAL


@pytest.mark.parametrize("what", ["plain", "object", "surrogate", "huge", "message"])
def test_an_error_of_the_author_goes_out_or_what_can_of_it(plugin: Plugin, what: str) -> None:
    error = error_of(plugin, "x/rpc", {"what": what})
    assert error.code == INTERNAL
    assert len(error.message) < 20_000
    if what == "plain":
        assert (error.message, error.data) == ("plain", {"a": 1})


def test_a_task_of_the_author_that_exits_does_not_end_the_loop(plugin: Plugin) -> None:
    assert plugin.call("x/async_exit", timeout_s=WAIT_S) == "done True"
    assert plugin.call("x/async", {"s": 0}, timeout_s=WAIT_S) == "slept"


def test_a_stream_whose_item_cannot_be_written_ends_with_an_error(plugin: Plugin) -> None:
    request = plugin.request("x/broken_rows")
    assert reply_error(plugin, request).code == INTERNAL
    assert plugin.next_notification("x/row", WAIT_S).params == {"id": request, "event": 1}


def test_bad_params_are_no_bug_and_name_the_field(plugin: Plugin) -> None:
    error = error_of(plugin, "x/sleep", {"s": "long"})
    assert error.code == -32602
    assert error.data["issues"][0]["path"] == "s"
