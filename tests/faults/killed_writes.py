"""kill -9 while an example writes, at any moment: what was answered is there, nothing is there twice."""

import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
from faulty_hosts import WAIT_S, Figures
from kept_stores import Store, Tokens

ROUNDS: Final = 3
PIPELINED: Final = 60
LONGEST_S: Final = 0.03  # until the kill
EVENT: Final = "trigger/event"


def verified(store: Store, found: Counter[int], answered: set[int], sent: set[int]) -> None:
    """Holds what is found against what was answered and what was sent."""
    if store.only_last:
        assert set(found) <= sent, f"never written: {set(found) - sent}"
        assert not answered or max(found) >= max(answered), f"lost: {max(answered)}, has {found}"
        return
    lost = sorted(answered - set(found))
    assert not lost, f"{store.example} lost what it had answered: {lost}"
    twice = sorted(number for number, times in found.items() if times > 1)
    assert not twice, f"{store.example} has twice: {twice}"
    assert set(found) <= sent, f"{store.example} made up: {sorted(set(found) - sent)}"


def intact(store: Store, project: Path) -> None:
    if store.sql:
        with closing(sqlite3.connect(project / store.file)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def killed_while_writing(store: Store, chance: Random, folder: Path) -> Figures:
    """A few processes after each other, each killed in the middle of what it was asked to write."""
    figures, tokens = Figures(), Tokens()
    project = store.make(folder)
    sent: set[int] = set()
    answered: set[int] = set()
    for turn in range(ROUNDS):
        lines: list[bytes] = []
        plugin = store.start(project, lines)
        try:
            store.begin(plugin, project, tokens)
            if turn:
                verified(store, Counter(store.read(plugin, project, tokens)), answered, sent)
            numbers = range(turn * PIPELINED, (turn + 1) * PIPELINED)
            asked = {n: plugin.request(*store.write(n, project, tokens)) for n in numbers}
            if not turn:  # answers come in batches, so other kills wait for none
                plugin.reply(asked[numbers[chance.randrange(PIPELINED)]], WAIT_S)
            moment = time.perf_counter() + chance.random() * LONGEST_S
            while time.perf_counter() < moment:
                pass
        finally:
            plugin.kill()
        intact(store, project)
        again = {one.params["event_id"] for one in plugin.notifications if one.method == EVENT}
        assert not again & {tokens[n] for n in answered if n in tokens}, "sent again"
        sent.update(numbers)
        answered.update(answered_of(lines, asked))
        figures.counts["kills"] += 1
    with store.served(project, tokens) as plugin:
        found = Counter(store.read(plugin, project, tokens))
        verified(store, found, answered, sent)
        last = ROUNDS * PIPELINED
        plugin.call(*store.write(last, project, tokens), timeout_s=WAIT_S)
        now = Counter(store.read(plugin, project, tokens))
        verified(store, now, {last} if store.only_last else answered | {last}, sent | {last})
    intact(store, project)
    figures.counts["writes answered"] += len(answered)
    figures.counts["writes cut off"] += len(sent - answered)
    figures.counts["of these, kept whole"] += len(set(found) - answered)
    return figures


def answered_of(lines: list[bytes], asked: dict[int, int]) -> set[int]:
    """The writes that were answered until the end came."""
    frames = [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
    answers = {frame["id"]: frame for frame in frames if "id" in frame}
    found = {number for number, request in asked.items() if request in answers}
    refused = {n: answers[asked[n]] for n in found if "error" in answers[asked[n]]}
    assert not refused, f"refused: {refused}"
    return found
