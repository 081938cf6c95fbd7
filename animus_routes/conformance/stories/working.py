"""Work that takes its time: agents, environments, workflows, transports, triggers."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from typing import Any, Final

from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.conformance.rows import serves
from animus_routes.conformance.shapes import list_of, object_of
from animus_routes.conformance.stories.play import Play, story
from animus_routes.conformance.wire import PING_S
from animus_routes.errors import CANCELLED, INTERNAL_ERROR
from animus_routes.host.process import PluginTimeoutError
from animus_routes.values.receipts import unsound_receipt

Params = dict[str, Any]
RUN_S: Final = 120.0
CANCEL_S: Final = 10.0
CONNECT_S: Final = 2.0
SLEEP_S: Final = 1
OUTPUT: Final = "agent/output"
ERROR: Final = "agent/error"


def prompt(play: Play, method: str = "agent/run", **more: Any) -> Params:
    """What a host sends for a run; the author's own values come last."""
    given = _named(play, method)
    sent: Params = {
        "prompt": "Answer with the single word ready.",
        "model": "",
        "cwd": "<project>",
        "env": {},
        "control_session_id": str(uuid.uuid4()),
        "approvals": False,
    }
    return {**{k: v for k, v in sent.items() if v != ""}, **given, **more}


def _named(play: Play, method: str) -> Params:
    """The params that the author names for a method, if there are any."""
    return object_of(next(iter(play.bench.options.values.get(method, ())), None))


def ran(play: Play, method: str, params: Params) -> Params:
    """A run's result; what streams before it has to decode."""
    answer = play.ask(method, params, RUN_S)
    if answer.code == INTERNAL_ERROR or answer.category == "model_not_supported":
        raise Skipped(f"the run is refused, so there is nothing to see: {answer}")
    found: Params = play.result(method, answer)
    play.wrote(f"an agent's run, {found.get('session_id')}")
    return found


def _run(play: Play) -> None:
    with play.another() as other:
        seen = len(other.wire.notifications)
        found = ran(other, "agent/run", prompt(play))
        came = other.wire.notifications[seen:]
        texts = ""
        for item in came:
            params = object_of(item.params)
            if item.method == OUTPUT and not params.get("final") and not params.get("is_final"):
                texts += str(params.get("text", ""))
        for field in ("exit_code", "output"):
            expect(field in found, f"the result of a run has no {field}")
        expect(
            texts.strip() in found["output"],
            "what a run streams is not in its output: hosts may lose notifications, so the result "
            f"has to be complete ({found['output']!r:.100})",
        )
        for item in came:
            if item.method == ERROR:
                recoverable = object_of(item.params).get("recoverable")
                expect(
                    isinstance(recoverable, bool), f"{ERROR} without recoverable is taken for true"
                )
        other.wire.settled()
        late = [i.method for i in other.wire.notifications[seen + len(came) :]]
        expect(not late, f"after the result of a run, there is still {late[:1]}")


def _resume(play: Play) -> None:
    with play.another() as other:
        session = ran(other, "agent/run", prompt(play)).get("session_id")
        expect(session, "the result of a run names no session_id to resume")
    with play.another() as other:
        ran(other, "agent/resume", prompt(play, "agent/resume", session_id=session))


def _cancelled(play: Play) -> None:
    with play.another() as other:
        params = prompt(play, prompt="Count slowly from one to one thousand, in words.")
        opened = other.wire.request("agent/run", _filled(play, params))
        alive = other.wire.ask("$/ping", timeout_s=PING_S)
        expect(alive.error is None, f"during a run, $/ping gives {alive}")
        named = {"session_id": params["control_session_id"]}
        cancelled = other.wire.ask("agent/cancel", named, timeout_s=CANCEL_S)
        expect(cancelled.error is None, f"agent/cancel is answered with {cancelled}")
        try:
            answer = other.wire.answer(opened, CANCEL_S)
        except PluginTimeoutError:
            fail(f"a run is not over {CANCEL_S:g} s after agent/cancel with its control_session_id")
        if answer.error is not None and answer.code != CANCELLED:
            raise Skipped(f"the run is refused, so there is nothing to cancel: {answer}")
        play.wrote("an agent's run, which was cancelled")
        if answer.code == CANCELLED:
            last = [i.params for i in other.wire.notifications if i.method == ERROR]
            fatal = last and object_of(last[-1]).get("recoverable") is False
            expect(
                fatal,
                f"a cancelled run is answered with -32002, without {ERROR} {{recoverable: false}} "
                "before it: hosts run the prompt again",
            )
        other.wire.settled()
        expect(not other.wire.unclaimed_ids, "a cancelled run is answered twice")


def _filled(play: Play, params: Params) -> Params:
    from animus_routes.conformance.overlay import filled

    found: Params = filled(play.bench, params)
    return found


def prepared(play: Play) -> Params:
    """An environment's handle."""
    given = play.bench.options.values.get("environment/prepare", ({"spec": {"kind": "local"}},))
    handle: Params = play.call("environment/prepare", given[0], RUN_S)["handle"]
    play.wrote(f"the environment {handle['id']}")
    return handle


def command(*words: str) -> Params:
    """A command of an environment."""
    return {"program": words[0], "args": list(words[1:])}


def _environment(play: Play) -> None:
    handle = prepared(play)
    said = play.call("environment/exec", {"handle": handle, "command": command("echo", play.name)})
    expect(
        (said.get("exit_code"), said.get("stdout", "").strip()) == (0, play.name),
        f"echo {play.name} gives {said!r:.200}",
    )
    failed = play.call(
        "environment/exec", {"handle": handle, "command": command("sh", "-c", "exit 7")}
    )
    expect(failed.get("exit_code") == 7, f"exit 7 gives the exit code {failed.get('exit_code')}")
    typed = {"handle": handle, "command": command("cat"), "stdin": "typed"}
    echoed = play.call("environment/exec", typed)
    expect(echoed.get("stdout") == "typed", f"what is typed into cat comes back as {echoed!r:.200}")
    opened = play.wire.request(
        "environment/exec",
        {"handle": handle, "command": command("sleep", "30"), "timeout_secs": SLEEP_S},
    )
    alive = play.wire.ask("$/ping", timeout_s=PING_S)
    expect(alive.error is None, f"during a command, $/ping gives {alive}")
    late = play.result("environment/exec", play.wire.answer(opened))
    expect(late.get("timed_out"), f"sleep 30 with timeout_secs {SLEEP_S} gives {late!r:.200}")
    for _ in range(2):
        play.call("environment/teardown", {"handle": handle})
    play.wrote("nothing of it is left: its environment is torn down")


def _stream(play: Play) -> None:
    handle = prepared(play)
    with play.another() as other:
        script = "echo one; echo two >&2; echo three"
        params = {"handle": handle, "command": command("sh", "-c", script)}
        answer = other.wire.ask("environment/exec_stream", params, timeout_s=RUN_S)
        found = other.result("environment/exec_stream", answer)
        texts: dict[str, str] = {"stdout": "", "stderr": ""}
        for item in other.wire.notifications:
            one = object_of(item.params)
            if item.method == "environment/output":
                expect(one.get("handle_id") == handle["id"], "an item has another handle's id")
                texts[str(one.get("stream"))] += str(one.get("text"))
        for name, text in texts.items():
            expect(
                found.get(name, "") == text,
                f"{name} streams {text!r:.80}, and is {found.get(name, '')!r:.80} in the result",
            )
        expect(
            texts["stdout"].split() == ["one", "three"], f"stdout streams as {texts['stdout']!r}"
        )
    play.call("environment/teardown", {"handle": handle})
    play.wrote("nothing of it is left: its environment is torn down")


def _workflow(play: Play) -> None:
    given = play.bench.options.values.get("workflow/execute")
    if not given:
        raise Skipped("which workflow? --values names the params of one for workflow/execute")
    with play.another() as other:
        found = other.call("workflow/execute", given[0], RUN_S)
        play.wrote(f"a workflow's run, {found['workflow_id']}")
        phases = {one["phase_id"] for one in list_of(found["phase_results"])}
        for name in list_of(found["phases_requested"])[: found["phases_completed"]]:
            expect(name in phases, f"the phase {name} is completed, and has no result")
        fence = object_of(object_of(given[0]).get("execution_fence"))
        echoed = found.get("execution_fence")
        expect(
            not fence or echoed == fence,
            "the result does not hand back the fence that it was given",
        )
        results = (found, *list_of(found["phase_results"]))
        receipts = [object_of(one).get("publication_receipt") for one in results]
        unsound = unsound_receipt([one for one in receipts if one is not None], fence or None)
        expect(not unsound, f"a publication_receipt does not hold: {unsound}")


def _transport(play: Play) -> None:
    path = f"{play.bench.folder()}/control.sock"
    with socket.socket(socket.AF_UNIX) as control, play.another() as other:
        control.bind(path)
        control.listen()
        threading.Thread(target=_accept, args=(control,), daemon=True).start()
        params = {
            "control_socket_path": path,
            "project_root": "<project>",
            "bind_addr": "127.0.0.1:0",
        }
        bound = other.call("transport/start", params)["bound_addr"]
        play.wrote(f"a listener at {bound}, which was closed again")
        host, _, port = bound.rpartition("/")[2].rpartition(":")
        try:
            socket.create_connection((host or bound, int(port)), CONNECT_S).close()
        except (OSError, ValueError) as error:
            fail(f"transport/start says {bound}, and nobody listens there: {error}")
        health = other.wire.ask("health/check", timeout_s=PING_S)
        expect(health.error is None, f"once it listens, health/check gives {health}")
        answer = other.wire.ask("transport/shutdown", {}, timeout_s=5.0)
        expect(answer.error is None, f"transport/shutdown is answered with {answer}")


def _accept(control: socket.socket) -> None:
    while True:
        try:
            control.accept()[0].close()
        except OSError:
            return


def _trigger(play: Play) -> None:
    given = _named(play, "trigger/watch")
    with play.another() as other:
        opened = other.wire.request("trigger/watch", given)
        begun = time.monotonic()
        answer = other.wire.answer(opened)
        expect(answer.error is None, f"trigger/watch is answered with {answer}: hosts ignore that")
        expect(time.monotonic() - begun < PING_S, "trigger/watch is acknowledged late")
        play.wrote("a watch of the triggers, in which nothing was acknowledged")
        event = {}
        try:
            event = object_of(other.item("trigger/watch", "trigger/event", 1.0))
        except PluginTimeoutError:
            play.bench.warnings.append("no event came within a second, so none was looked at")
        if event:
            expect(event.get("event_id"), f"a trigger/event has no event_id: {event!r:.200}")
            nulls = [name for name, value in event.items() if value is None and name != "payload"]
            if nulls:
                play.bench.warnings.append(f"a trigger/event has nulls: {', '.join(nulls)}")
        if serves(play.bench, "trigger/ack"):
            ack = {"event_id": event.get("event_id", play.name), "status": "unmatched"}
            other.wire.notify("trigger/ack", ack)
            other.wire.settled()
            expect(not other.wire.unclaimed_ids, "trigger/ack is a notification, and answered")


STORIES: Final = (
    story(
        "run",
        "A run streams what its complete result has, and nothing behind it",
        "host 5: notifications may be lost; recoverable is explicit",
        _run,
        "agent/run",
    ),
    story(
        "run-cancelled",
        "A run is cancelled by the host's control_session_id, and answered once",
        "host 5 and 8.26: agent/error {recoverable: false} before -32002",
        _cancelled,
        "agent/run",
        "agent/cancel",
    ),
    story(
        "run-resumed",
        "A run is resumed by the session that it names, in another process",
        "host 5: a process for each run",
        _resume,
        "agent/run",
        "agent/resume",
    ),
    story(
        "commands",
        "Commands run where they were prepared, and are stopped in time",
        "host 4.11: exec, stdin, timeout_secs; teardown may be sent twice",
        _environment,
        "environment/prepare",
        "environment/exec",
        "environment/teardown",
    ),
    story(
        "exec-stream",
        "A streamed command says in its result what it has streamed",
        "host 4.11: environment/output {handle_id, stream, text}",
        _stream,
        "environment/prepare",
        "environment/exec_stream",
        "environment/teardown",
    ),
    story(
        "workflow",
        "A workflow's result has its phases, the fence that it was given, and receipts of it",
        "host 4.8; newer 3.6 and 3.6.2",
        _workflow,
        "workflow/execute",
    ),
    story(
        "transport",
        "Where it says that it listens, it does",
        "host 4.13; host 7: the test kit connects at once",
        _transport,
        "transport/start",
        "transport/shutdown",
    ),
    story(
        "trigger",
        "A watch is acknowledged at once, its events decode, acks are not answered",
        "host 4.2: flat events with event_id; trigger/ack is a notification",
        _trigger,
        "trigger/watch",
    ),
)
