"""Subjects: tasks and issues, on their way and watched (host 4.1; newer 3.3)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.codes import ordinary
from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.conformance.rows import called, serves
from animus_routes.conformance.shapes import object_of
from animus_routes.conformance.stories.play import PAGES, Play, story
from animus_routes.host.process import PluginTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

Subject = dict[str, Any]
CHANGED: Final = "subject/changed"
QUIET_S: Final = 0.2
FEW: Final = 3


def created(play: Play, title: str = "", **fields: Any) -> Subject:
    """A new subject; what becomes of it is said."""
    made: Subject = play.call("subject/create", {"title": title or play.name, **fields})
    play.wrote(f"the subject {made['id']}")
    return made


def deleted(play: Play, *subjects: Subject) -> None:
    """Take them away again, if the plugin can."""
    if serves(play.bench, "subject/delete"):
        for one in subjects:
            play.call("subject/delete", {"id": one["id"]})
        play.wrote("nothing of it is left: its subjects are deleted")


def pages(play: Play, query: dict[str, Any]) -> Iterator[list[Subject]]:
    """Every page of a list."""
    for _ in range(PAGES):
        page = play.call("subject/list", query)
        yield page["subjects"]
        if not page.get("next_cursor"):
            return
        query = {**query, "cursor": page["next_cursor"]}
    fail(f"subject/list gives cursors without end: {PAGES} pages of {query}")


def _life(play: Play) -> None:
    one = created(play)
    expect(one["title"] == play.name, f"created as {play.name}, it is called {one['title']}")
    found = play.call("subject/get", {"id": one["id"]})
    expect(found["id"] == one["id"], f"subject/get of {one['id']} gives {found['id']}")
    expect(
        found["title"] == play.name,
        f"subject/get gives the title {found['title']}, not {play.name}",
    )
    _updated(play, one)
    if serves(play.bench, "subject/status"):
        done = play.call("subject/status", {"id": one["id"], "status": "done"})
        expect(done["status"] == "done", f"set to done, its status is {done['status']}")
        again = play.call("subject/get", {"id": one["id"]})
        expect(again["status"] == "done", "subject/get does not see what subject/status did")
        _strange(play, "subject/status", {"id": one["id"], "status": "no-such-status"})
    if serves(play.bench, "subject/next"):
        waiting = object_of(play.call("subject/next"))
        expect(
            waiting.get("status", "ready") == "ready",
            f"subject/next gives one that is {waiting.get('status')}",
        )
    if serves(play.bench, "subject/delete"):
        deleted(play, one)
        play.gone("subject/get", {"id": one["id"]}, "after subject/delete")


def _strange(play: Play, method: str, params: dict[str, Any]) -> None:
    """What the backend may know or not: whatever it makes of it has to decode."""
    answer = play.ask(method, params)
    if answer.error is None:
        play.result(method, answer)
    else:
        ordinary(method, answer, "a word that it does not know")


def _updated(play: Play, one: Subject) -> None:
    if not serves(play.bench, "subject/update"):
        return
    patch = {"status": "in-progress", "labels_add": [play.name]}
    changed = play.call("subject/update", {"id": one["id"], "patch": patch})
    expect(
        changed["status"] == "in-progress", f"set to in-progress, its status is {changed['status']}"
    )
    again = play.call("subject/get", {"id": one["id"]})
    expect(again["status"] == "in-progress", "subject/get does not see what subject/update did")
    if play.name not in again.get("labels", ()):
        play.bench.warnings.append("a label that subject/update adds is not there afterwards")
    play.refused("subject/update", {"id": one["id"], "patch": "done"}, "with a patch that is text")
    answer = play.ask("subject/update", {"id": one["id"], "patch": {"assignee": play.name}})
    if answer.error is not None:
        ordinary("subject/update", answer, "an assignee whom it does not know")
    elif play.result("subject/update", answer).get("assignee") != play.name:
        play.bench.warnings.append("an assignee that subject/update sets is not there afterwards")
    bare = play.call("subject/update", {"id": one["id"], "patch": {"assignee": None}})
    expect(
        not bare.get("assignee"),
        f"a null assignee in a patch clears it, and here it is {bare.get('assignee')}",
    )


def _paging(play: Play) -> None:
    mine = [created(play, f"{play.name} {number}") for number in range(FEW)]
    wanted = {one["id"] for one in mine}
    seen: list[str] = []
    limit = 2
    for page in pages(play, {"limit": limit}):
        seen += [one["id"] for one in page]
        _short(play, page, limit)
    twice = {one for one in seen if seen.count(one) > 1} & wanted
    expect(not twice, f"paging through subject/list gives {', '.join(sorted(twice))} twice")
    lost = wanted - set(seen)
    expect(not lost, f"paging through subject/list does not give {', '.join(sorted(lost))}")
    for wrapped in (True, False):
        asked = {"status": ["done"]}
        listed = play.call("subject/list", {"filter": asked} if wrapped else asked)["subjects"]
        others = {one["status"] for one in listed} - {"done"}
        expect(not others, f"subject/list of what is done gives what is {', '.join(others)}")
    deleted(play, *mine)


def _short(play: Play, page: list[Subject], limit: int) -> None:
    if len(page) <= limit or not serves(play.bench, "subject/schema"):
        return
    schema = object_of(play.ask("subject/schema").result)
    expect(
        not schema.get("supports_pagination"),
        f"subject/list with limit {limit} gives {len(page)}, and its schema says that it pages",
    )


def _ids(play: Play) -> None:
    listed = play.call("subject/list", {"limit": 20})["subjects"]
    if not listed:
        raise Skipped("there are no subjects")
    bare = [one["id"] for one in listed if ":" not in one["id"]]
    if bare:
        play.bench.warnings.append(
            f"ids such as {bare[0]} have no <kind>: prefix: the command line takes them, and the "
            "daemon's control socket, `animus subject get` through it included, cannot address them"
        )
    kinds = play.bench.subject_kinds
    wanted = called(play.bench, "subject/list").partition("/")[0]
    for one in listed:
        expect(
            wanted == "subject" or one["kind"] == wanted,
            f"{wanted}/list gives {one['id']} of kind {one['kind']}; it serves {', '.join(kinds)}",
        )
    found = play.call("subject/get", {"id": listed[0]["id"]})
    expect(found["id"] == listed[0]["id"], f"subject/get of {listed[0]['id']} gives {found['id']}")


def _words(play: Play) -> None:
    """What the host's own help, and the tools that agents read, say."""
    one = created(play, priority="p1", body="what there is to do")
    if one.get("priority") not in (3, None):
        fail(f"created with priority p1, which is high, its priority is {one.get('priority')}")
    if serves(play.bench, "subject/update"):
        params = {"id": one["id"], "patch": {"status": "in_progress", "priority": "high"}}
        changed = play.call("subject/update", params)
        expect(
            changed["status"] == "in-progress",
            f"set to in_progress, as the command line writes it, its status is {changed['status']}",
        )
    short = one["id"].partition(":")[2]
    if short:
        answer = play.ask("subject/get", {"id": short})
        if answer.error is not None:
            play.bench.warnings.append(f"an id without its prefix, {short}, is not found")
    deleted(play, one)


def _watch(play: Play) -> None:
    with play.another() as other:
        opened = other.wire.request("subject/watch", {})
        other.result("subject/watch", other.wire.answer(opened))
        one = created(other)
        try:
            event = other.item("subject/watch", CHANGED)
        except PluginTimeoutError as error:
            fail(f"a subject was created, and {error}")
        expect(
            event.get("id") == opened,
            f"{CHANGED} has the id {event.get('id')!r}, the watch was request {opened}: hosts drop it",
        )
        told = object_of(event.get("event")).get("id")
        expect(told == one["id"], f"{one['id']} was created, {CHANGED} tells of {told}")
        _every_change(other, one)
        other.wire.notify("subject/unwatch", {"watch_id": str(opened)})
        other.wire.settled()
        while _took(other):
            pass
        late = created(other)
        _nothing_more(other)
        deleted(other, late)


def _every_change(play: Play, one: Subject) -> None:
    """What else becomes of it is told in words that hosts know."""
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("subject/update", {"patch": {"labels_add": ["x"]}}),
        ("subject/status", {"status": "done"}),
        ("subject/delete", {}),
    )
    for method, params in calls:
        if serves(play.bench, method):
            play.call(method, {"id": one["id"], **params})
            with suppress(PluginTimeoutError):
                play.item("subject/watch", CHANGED, QUIET_S)


def _took(play: Play) -> bool:
    try:
        play.wire.next_notification(CHANGED, 0.0)
    except PluginTimeoutError:
        return False
    return True


def _nothing_more(play: Play) -> None:
    try:
        late = play.wire.next_notification(CHANGED, QUIET_S)
    except PluginTimeoutError:
        return
    fail(f"after subject/unwatch, there is still {CHANGED} {late.params!r:.200}")


def _watch_ends(play: Play) -> None:
    with play.another() as other:
        ids = [other.wire.request("subject/watch", {"kind": k}) for k in (None, *_kinds(play))]
        for opened in ids:
            other.result("subject/watch", other.wire.answer(opened))
            other.wire.notify("subject/unwatch", {"watch_id": str(opened)})
        other.wire.settled()
        expect(not other.wire.unclaimed_ids, "subject/unwatch is a notification, and answered")


def _kinds(play: Play) -> list[str]:
    return [kind for kind in play.bench.subject_kinds if "*" not in kind]


def _owners(play: Play) -> None:
    mine, other = ({"actor": {"user_id": f"{play.name}-{n}", "tenant_id": "t"}} for n in (1, 2))
    one = play.call("subject/v2/create", {"context": mine, "payload": {"title": play.name}})
    play.wrote(f"the subject {one['id']} of {play.name}-1")
    listed = play.call("subject/v2/list", {"context": mine})["subjects"]
    expect(
        one["id"] in {s["id"] for s in listed}, "subject/v2/list does not give what is the caller's"
    )
    strange = play.call("subject/v2/list", {"context": other})["subjects"]
    expect(
        one["id"] not in {s["id"] for s in strange},
        "subject/v2/list gives a subject of another user: ownership is no filter of the caller's",
    )
    play.gone("subject/v2/get", {"context": other, "id": one["id"]}, "for another user")
    if serves(play.bench, "subject/v2/delete"):
        play.call("subject/v2/delete", {"context": mine, "id": one["id"]})
        play.wrote("nothing of it is left: its subject is deleted")


STORIES: Final = (
    story(
        "subject-ids",
        "Listed subjects are found by their ids, and are of the kind",
        "host 4.1; installing 2: ids without their prefix cannot be addressed",
        _ids,
        "subject/list",
        "subject/get",
        acts=False,
    ),
    story(
        "subjects",
        "A subject is created, found, changed, done and deleted",
        "host 4.1: create, get, update, status, next, delete",
        _life,
        "subject/create",
        "subject/get",
    ),
    story(
        "subject-paging",
        "Paging gives every subject once, and filters hold",
        "host 4.1: next_cursor; flat params and {filter}",
        _paging,
        "subject/create",
        "subject/list",
    ),
    story(
        "subject-words",
        "Priorities and statuses may be in the command line's words",
        "installing 3; host 8.20: p0 to p3, in_progress, body",
        _words,
        "subject/create",
    ),
    story(
        "watch-ends",
        "Watches are acknowledged, and end without an answer",
        "host 4.1: unwatch is a notification with the id as text",
        _watch_ends,
        "subject/watch",
        acts=False,
    ),
    story(
        "watch",
        "A watch tells of a change, with its id, until it ends",
        "host 4.1: {id: <the watch's request>, event}",
        _watch,
        "subject/watch",
        "subject/create",
    ),
    story(
        "subject-owners",
        "What one user creates no other sees",
        "newer 3.3: ownership is a predicate that a filter cannot override",
        _owners,
        "subject/v2/create",
        "subject/v2/list",
        "subject/v2/get",
    ),
)
