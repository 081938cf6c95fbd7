"""Messages with a key in the conversations example, with several processes, and killed ones."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from example_host import KilledCall, killed_calls, served
from keyed_messages import (
    CHATS,
    Told,
    acquired,
    append,
    begin,
    did,
    do,
    expire,
    history,
    load,
    message_of,
    meta_of,
)

from animus_routes import RpcError
from animus_routes.host import Plugin
from animus_routes.testing import TestClient

pytest_plugins = ["keyed_fixtures"]

HOSTS = 4
WAIT_S = 20.0


def all_at_once(plugins: list[Plugin], work: Callable[[Plugin, int], Any]) -> list[Any]:
    together = threading.Barrier(len(plugins))

    def one(plugin: Plugin, number: int) -> Any:
        together.wait(WAIT_S)
        return work(plugin, number)

    with ThreadPoolExecutor(len(plugins)) as pool:
        return list(pool.map(one, plugins, range(len(plugins))))


def test_of_hosts_that_race_with_one_key_one_works_and_all_tell_its_end(
    tmp_path: Path, chats_env: Mapping[str, str], keyed_chats: TestClient, key: Told
) -> None:
    messages = 6

    def send(plugin: Plugin, _number: int) -> tuple[int, list[Told]]:
        worked, ends = 0, []
        until = time.monotonic() + WAIT_S
        for number in range(messages):
            mine = {**key, "caller_key": f"send-{number}"}
            answer = begin(plugin, mine)
            while answer["outcome"] == "in_progress":
                assert time.monotonic() < until
                answer = begin(plugin, mine)
            if answer["outcome"] == "acquired":
                worked += 1
                claim = answer["claim"]
                append(plugin, mine, 2 * number)
                # The one before may still have the conversation.
                while not did(plugin, "accept_user", mine, claim, user_seq=2 * number):
                    assert time.monotonic() < until
                append(plugin, mine, 2 * number + 1, claim)
                end = {"status": "completed", "assistant_seq": 2 * number + 1}
                assert did(plugin, "terminalize", mine, claim, **end)
            ends.append(load(plugin, mine))
        return worked, ends

    with ExitStack() as stack:
        hosts = [stack.enter_context(served(CHATS, tmp_path, env=chats_env)) for _ in range(HOSTS)]
        found = all_at_once(hosts, send)
    assert sum(worked for worked, _ in found) == messages
    for same in zip(*(ends for _, ends in found), strict=True):
        assert all(end == same[0] for end in same)
        assert same[0]["status"] == "completed"
    assert history(keyed_chats, key) == [*range(2 * messages)]


def test_of_hosts_that_race_for_a_dead_hosts_operation_one_has_it(
    tmp_path: Path, chats_env: Mapping[str, str], keyed_chats: TestClient, key: Told
) -> None:
    with served(CHATS, tmp_path, env=chats_env) as victim:
        claim = acquired(victim, key)
        did(victim, "accept_user", key, claim, user_seq=0)
        victim.kill()
    expire(key)
    with ExitStack() as stack:
        hosts = [stack.enter_context(served(CHATS, tmp_path, env=chats_env)) for _ in range(HOSTS)]
        found = all_at_once(hosts, lambda plugin, _: begin(plugin, key))
    outcomes = Counter(answer["outcome"] for answer in found)
    assert outcomes == {"acquired": 1, "in_progress": HOSTS - 1}
    (taken,) = [answer["claim"] for answer in found if answer["outcome"] == "acquired"]
    assert (taken["recovered"], taken["status"]) == (True, "user_accepted")
    with pytest.raises(RpcError, match="stale"):
        append(keyed_chats, key, 1, claim)
    append(keyed_chats, key, 1, taken)
    assert history(keyed_chats, key) == [1]


# kill -9 between any two statements ---------------------------------------------------------------

Prepared = tuple[str, Told]


def lease_of(claim: Told) -> Told:
    return {name: claim[name] for name in ("operation_id", "lease_token")}


def beginning(_chats: TestClient, key: Told) -> Prepared:
    return "operation_begin", {**key, "request_hash": "h"}


def accepting(chats: TestClient, key: Told) -> Prepared:
    return "operation_accept_user", {**key, **lease_of(acquired(chats, key)), "user_seq": 0}


def appending(chats: TestClient, key: Told) -> Prepared:
    claim = acquired(chats, key)
    do(chats, "accept_user", key, claim, user_seq=0)
    return "append_message", message_of(key, 1, claim)


def ending(chats: TestClient, key: Told) -> Prepared:
    claim = acquired(chats, key)
    do(chats, "accept_user", key, claim, user_seq=0)
    end = {**lease_of(claim), "status": "completed", "assistant_seq": 1}
    return "operation_terminalize", {**key, **end}


CALLS: dict[str, Callable[[TestClient, Told], Prepared]] = {
    "operation_begin": beginning,
    "operation_accept_user": accepting,
    "append_message": appending,
    "operation_terminalize": ending,
}


@pytest.fixture(scope="module")
def killed() -> Iterator[KilledCall]:
    with killed_calls("conversations_sql") as call:
        yield call


@pytest.mark.parametrize("method", CALLS)
def test_a_call_that_is_killed_between_two_statements_was_made_or_not(
    tmp_path: Path,
    chats_env: Mapping[str, str],
    keyed_chats: TestClient,
    key: Told,
    killed: KilledCall,
    method: str,
) -> None:
    def kept(own: Told) -> Any:
        """What a host sees, but for ids."""
        found = {**(load(keyed_chats, own) or {})}
        meta = meta_of(keyed_chats, own)
        reserved = meta.get("active_operation_id") == found.get("operation_id", "")
        told = (found.get("status"), found.get("user_seq"), found.get("assistant_seq"))
        return told, reserved, history(keyed_chats, own), meta["message_count"]

    def attempt(step: int) -> tuple[int, Any, Any]:
        own = {**key, "conversation_id": f"c-1 {step}"}
        keyed_chats.call("conversation/create", {**own, "id": own["conversation_id"]})
        name, params = CALLS[method](keyed_chats, own)
        before = kept(own)
        case = {"project": str(tmp_path), "env": {**chats_env}, "step": step}
        status = killed({**case, "method": f"conversation/{name}", "params": params})
        return status, before, kept(own)

    attempts = [attempt(1)]
    while attempts[-1][0] == -9:
        attempts.append(attempt(len(attempts) + 1))
    _, before, after = attempts[-1]
    assert before != after
    assert attempts[0] == (-9, before, before)
    assert attempts[-2:] == [(-9, before, after), (0, before, after)]
    for _, was, found in attempts:
        assert (was, found in (before, after)) == (before, True)
