"""What is kept for hosts: memories, journals, durable steps, log entries, configuration."""

from __future__ import annotations

from typing import Any, Final

from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.conformance.overlay import SCOPE
from animus_routes.conformance.rows import serves
from animus_routes.conformance.shapes import object_of
from animus_routes.conformance.stories.play import NOW, Play, story
from animus_routes.host.process import PluginTimeoutError
from animus_routes.timestamps import now

Params = dict[str, Any]
EVENT: Final = "log_storage/event"


def _memory(play: Play) -> None:
    scope = {"project_id": play.name}
    value = {"text": "to be remembered", "none": None}
    play.call("memory/put", {"scope": scope, "key": "k", "value": value})
    play.wrote(f"the memory k of the project {play.name}")
    found = play.call("memory/get", {"scope": scope, "key": "k"})
    expect(found["found"] and found.get("value") == value, f"memory/get gives {found!r:.200}")
    asked = {"scope": scope, "query": "remembered", "top_k": 5}
    results = play.call("memory/query", asked)["results"]
    expect([one["key"] for one in results] == ["k"], f"memory/query gives {results!r:.200}")
    other = {**asked, "scope": {"project_id": f"{play.name}-2"}}
    strange = object_of(play.ask("memory/query", other).result).get("results")
    expect(not strange, "a memory is found in another project's scope")
    play.call("memory/delete_scope", {"scope": scope})
    gone = play.call("memory/get", {"scope": scope, "key": "k"})
    expect(not gone["found"], "after memory/delete_scope, memory/get still finds it")
    play.wrote("nothing of it is left: its scope is deleted")


def _journal(play: Play) -> None:
    run = {"workflow_id": play.name, "status": "running", "blob": {"step": 1}}
    play.call("journal/save", {"run": run})
    play.wrote(f"the journal of the workflow {play.name}")
    asked = {"workflow_id": play.name}
    found = object_of(play.call("journal/load", asked).get("run"))
    expect(
        found.get("blob") == run["blob"], f"journal/load gives the blob {found.get('blob')!r:.100}"
    )
    play.call("journal/save", {"run": {**run, "status": "completed"}})
    again = object_of(play.call("journal/load", asked).get("run"))
    expect(again.get("status") == "completed", "a second journal/save does not replace the first")
    ids = play.call("journal/query_ids", {"limit": 500})["ids"]
    expect(play.name in ids, f"journal/query_ids does not give {play.name}")
    _checkpoints(play, asked)
    play.call("journal/delete", asked)
    gone = play.call("journal/load", asked).get("run")
    expect(gone is None, "after journal/delete, journal/load still finds it")
    play.wrote("nothing of it is left: its journal is deleted")


def _checkpoints(play: Play, asked: Params) -> None:
    if not serves(play.bench, "journal/checkpoint_save"):
        return
    for number in (1, 2, 3):
        one = {**asked, "checkpoint_num": number, "blob": {"n": number}}
        play.call("journal/checkpoint_save", one)
    if serves(play.bench, "journal/checkpoint_prune"):
        play.call("journal/checkpoint_prune", {**asked, "keep": 2})
    kept = sorted(play.call("journal/checkpoint_list", asked)["checkpoint_nums"])
    expect(kept[-2:] == [2, 3], f"of the checkpoints 1 to 3, those kept are {kept}")
    blob = play.call("journal/checkpoint_load", {**asked, "checkpoint_num": 3}).get("blob")
    expect(blob == {"n": 3}, f"the third checkpoint is loaded as {blob!r:.100}")


def _durable(play: Play) -> None:
    run = {"run_id": play.name, "phase_id": "check"}
    play.call("durable/begin_workflow_run", run)
    play.wrote(f"the durable run {play.name}")
    step = {**run, "step_name": "one", "idempotency_key": f"{play.name}:1"}
    first = play.call("durable/begin_step", step)
    expect(first["status"] == "new", f"a step that is begun first is {first['status']}")
    with play.another() as other:
        again = other.call("durable/begin_step", step)
        expect(
            again["status"] == "in_progress" and again["step_id"] == first["step_id"],
            f"begun again while it runs, the step is {again['status']}",
        )
    done = {"step_id": first["step_id"], "outcome": "success", "output": {"n": 1}}
    play.call("durable/commit_step", done)
    replay = play.call("durable/begin_step", step)
    expect(
        (replay["status"], replay.get("prior_output")) == ("already_committed", {"n": 1}),
        f"begun again once it is done, the step is {replay['status']}, with the output "
        f"{replay.get('prior_output')!r:.100}",
    )
    steps = play.call("durable/query_run", run)["steps"]
    expect(
        [one["step_name"] for one in steps] == ["one"],
        f"durable/query_run gives the steps {steps!r:.200}",
    )


def entry(play: Play, number: int, level: str) -> Params:
    """A log entry of a story."""
    return {
        "id": f"{play.name}-{number}",
        "ts": now(),
        "level": level,
        "source": "workflow",
        "source_name": play.name,
        "target": "animus_check",
        "message": f"number {number}",
        "fields": {"number": number},
    }


def _logs(play: Play) -> None:
    entries = [
        entry(play, number, level) for number, level in enumerate(("info", "debug", "error"))
    ]
    for one in entries:
        stored = play.call("log_storage/store", {"entries": [one]})
        expect(stored["stored"] == 1, f"of one entry, log_storage/store keeps {stored['stored']}")
    play.wrote(f"three log entries of the source {play.name}")
    for level, wanted in (("debug", 3), ("info", 2), ("error", 1)):
        asked = {"source_name": play.name, "min_level": level, "limit": 200}
        found = play.call("log_storage/query", asked)["entries"]
        expect(
            len(found) == wanted,
            f"of three entries, {wanted} are {level} or above: log_storage/query gives {len(found)}",
        )
    expect(
        found[0]["message"] == "number 2" and found[0]["id"] == entries[2]["id"],
        f"the entry of level error comes back as {found[0]!r:.200}",
    )


def _tail(play: Play) -> None:
    with play.another() as other:
        opened = other.wire.request("log_storage/tail", {"follow": True, "source_name": play.name})
        other.result("log_storage/tail", other.wire.answer(opened))
        one = entry(play, 1, "warn")
        other.call("log_storage/store", {"entries": [one]})
        play.wrote(f"a log entry of the source {play.name}")
        try:
            event = other.item("log_storage/tail", EVENT)
        except PluginTimeoutError as error:
            fail(f"an entry was stored, and {error}")
        expect(event.get("id") == opened, f"{EVENT} has the id {event.get('id')!r}, not {opened}")
        told = object_of(event.get("entry")).get("id")
        expect(told == one["id"], f"{one['id']} was stored, {EVENT} tells of {told}")


def _config(play: Play) -> None:
    first = play.call("config/load", SCOPE)
    again = play.call("config/load", SCOPE)
    expect(
        first["cache_token"] == again["cache_token"],
        "config/load gives another cache token although nothing has changed: hosts load it anew",
    )
    schema = first["config"]["schema"]
    expect(
        schema == "animus.workflow-config.v2",
        f"the configuration's schema is {schema}, hosts read animus.workflow-config.v2",
    )
    expect(first["config"]["version"] <= 2, f"its version is {first['config']['version']}")


def _written_config(play: Play) -> None:
    loaded = play.call("config/load", SCOPE)
    play.call("config/write", {**SCOPE, "config": loaded["config"]})
    play.wrote("the configuration, as it was loaded")
    again = play.call("config/load", SCOPE)
    expect(
        again["config"]["config"] == loaded["config"]["config"],
        "a configuration that is written as it was loaded is another one afterwards",
    )


def _notifier(play: Play) -> None:
    event = {
        "schema": "animus.daemon.event.v1",
        "id": play.name,
        "seq": 1,
        "timestamp": NOW,
        "event_type": "animus-check",
        "data": {"message": "a test of the notifier"},
    }
    play.call("notifier/notify", {"event": event})
    play.wrote(f"a notification, the event {play.name}")
    flushed = play.ask("notifier/flush", {})
    if flushed.error is not None:
        raise Skipped(f"notifier/flush is answered with {flushed}: a warning to hosts")
    events = object_of(flushed.result).get("lifecycle_events")
    expect(
        isinstance(events, list), f"notifier/flush gives no lifecycle_events but {flushed.result}"
    )


STORIES: Final = (
    story(
        "memory",
        "A memory is put, found in its scope alone, and deleted with it",
        "host 4.7; spec 7.9",
        _memory,
        *(f"memory/{verb}" for verb in ("put", "get", "query", "delete_scope")),
    ),
    story(
        "journal",
        "A run is saved, loaded, listed, with its checkpoints, and deleted",
        "host 4.10",
        _journal,
        *(f"journal/{verb}" for verb in ("save", "load", "query_ids", "delete")),
    ),
    story(
        "durable",
        "A step is done once, whichever process asks",
        "host 4.6: begin, begin again, commit, replay",
        _durable,
        *(
            f"durable/{verb}"
            for verb in ("begin_workflow_run", "begin_step", "commit_step", "query_run")
        ),
    ),
    story(
        "logs",
        "Stored entries are found by their source and level",
        "host 4.3: one entry for each call; min_level, source_name, limit",
        _logs,
        "log_storage/store",
        "log_storage/query",
    ),
    story(
        "tail",
        "A followed tail tells of what is stored",
        "facts 11.29; host 4.3",
        _tail,
        "log_storage/store",
        "log_storage/tail",
    ),
    story(
        "config",
        "The configuration is what hosts read, and its token stays",
        "host 4.9: animus.workflow-config.v2, cache_token",
        _config,
        "config/load",
        acts=False,
    ),
    story(
        "config-written",
        "What is written is loaded",
        "host 4.9: config/write",
        _written_config,
        "config/load",
        "config/write",
    ),
    story(
        "notified",
        "A notification is taken, and a flush answered",
        "host 4.4: flush on every tick, whatever the schema says",
        _notifier,
        "notifier/notify",
    ),
)
