"""Who owns the wire: the main thread and the standby, driven without a process."""

import sys
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event

import pytest
from msgspec import Raw

from animus_routes.engine import turn as module
from animus_routes.engine.frames import MAX_INBOUND_BYTES, Request
from animus_routes.engine.turn import Turn

WAIT_S = 5.0
ROUNDS = 2000
NEEDS_GIL = pytest.mark.skipif(not module.gil_enabled(), reason="the wire is not taken without it")


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Run something on a second thread; its end is waited for, its failure raised."""
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again by who started it
            ended.put(error)
        else:
            ended.put(None)

    start_new_thread(run, ())
    yield
    failure = ended.get(timeout=WAIT_S)
    if failure is not None:
        raise failure


def until_asked(turn: Turn) -> None:
    """What the standby does while it owns the wire, without the wire."""
    deadline = time.monotonic() + WAIT_S
    while not turn.asked:
        assert time.monotonic() < deadline


def test_a_turn_that_nobody_takes_ends_at_once() -> None:
    turn, request = Turn(), Request("a/b", 1)
    turn.begin(request, "context")
    assert (turn.method, turn.context, turn.interruptible) == ("a/b", "context", True)
    assert not turn.end(request)
    assert (turn.method, turn.current, turn.interruptible) == ("", None, False)


@NEEDS_GIL
@pytest.mark.parametrize("answered", [False, True])
def test_the_main_thread_waits_for_the_wire_and_learns_of_an_answer(answered: bool) -> None:
    turn, request, taken, woken = Turn(), Request("a/b", 1), Event(), Event()
    turn.wake = woken.set
    done: list[Turn] = []

    def standby() -> None:
        assert turn.take(request)
        if answered:
            assert turn.claim_answer(request)
            assert not turn.claim_answer(request)
        taken.set()
        until_asked(turn)
        done.append(turn)
        turn.release()

    turn.begin(request, None)
    with beside(standby):
        assert taken.wait(WAIT_S)
        assert turn.end(request) is answered
        # What the standby did last is seen: the wire was waited for.
        assert done == [turn]
        assert woken.is_set()
        assert (turn.taken, turn.asked) == (False, False)
    turn.begin(request, None)
    assert not turn.end(request)  # an answer counts once


def test_a_turn_that_is_over_cannot_be_taken() -> None:
    turn, first, second = Turn(), Request("a/b", 1), Request("a/b", 2)
    assert not turn.take(first)
    turn.begin(second, None)
    assert not turn.take(first)
    assert not turn.taken
    assert not turn.end(second)


@NEEDS_GIL
def test_what_the_standby_reads_is_run_in_order_unless_it_is_withdrawn() -> None:
    turn, request = Turn(), Request("a/b", 1)
    turn.lines = iter([b"1", b"2", b"3"])
    assert next(turn.lines) == b"1"
    turn.begin(request, None)
    assert turn.take(request)
    assert turn.unread() == [b"2", b"3"]
    second, third, fourth = (Request("a/b", number) for number in (2, 3, 4))
    for waiting in (second, third, fourth):
        turn.queue(waiting, 10)
    assert turn.pending_bytes == 30
    assert turn.withdraw((int, 3), fourth) is None
    assert turn.withdraw((int, 3)) is third
    assert turn.withdraw((int, 3)) is None
    turn.release()
    assert not turn.end(request)
    assert list(turn.lines) == []  # the main thread's loop ends, and takes the rest in its place
    assert [turn.next_request() for _ in range(3)] == [second, fourth, None]
    assert turn.pending_bytes == 0


def test_an_id_is_under_way_from_its_arrival_to_its_answer() -> None:
    turn, request = Turn(), Request("a/b", 1)
    turn.queue(Request("a/b", Raw(b'"1"')), 10)
    turn.queue(Request("a/b"), 10)
    turn.queue(Request("a/b"), 10)
    turn.begin(request, None)
    assert [turn.holds(key) for key in ((int, 1), (str, "1"), (float, 1.0))] == [True, True, False]
    assert turn.claim_answer(request)
    assert not turn.holds((int, 1))
    assert len(turn.pending) == 3


def test_what_waits_is_bounded_by_number_and_by_bytes() -> None:
    turn = Turn()
    for number in range(1, module.MOST_WAITING + 1):
        assert not turn.full
        turn.queue(Request("a/b", number), 10)
    full = [turn.full]
    turn.next_request()
    full.append(turn.full)
    turn.drop()
    turn.queue(Request("a/b", 1), MAX_INBOUND_BYTES)
    full.append(turn.full)
    turn.withdraw((int, 1))
    assert [*full, turn.full] == [True, False, True, False]


@NEEDS_GIL
@pytest.mark.parametrize("answered", [False, True])
def test_an_answer_that_is_written_while_the_wire_is_taken_stays_unless_there_is_one(
    answered: bool,
) -> None:
    turn, request, taken, written = Turn(), Request("a/b", 1), Event(), Event()
    sent: list[bytes] = []

    def standby() -> None:
        assert written.wait(WAIT_S)
        assert turn.take(request)
        sent.extend(bytes(turn.answered_before()) for _ in range(2))
        if answered:
            assert turn.claim_answer(request)
        taken.set()
        until_asked(turn)
        turn.release()

    turn.out += b"before"
    turn.begin(request, None)
    with beside(standby):
        turn.out += b"ans"
        written.set()
        assert taken.wait(WAIT_S)
        turn.out += b"wer"
        assert turn.end(request) is answered
    assert sent == [b"before", b""]
    assert bytes(turn.out) == (b"" if answered else b"answer")


@NEEDS_GIL
def test_a_standby_that_gives_the_wire_back_unasked_has_answered_all_the_same() -> None:
    turn, request = Turn(), Request("a/b", 1)
    turn.out += b"before"
    turn.begin(request, None)
    assert turn.take(request)
    assert turn.answered_before() == b"before"
    assert turn.claim_answer(request)
    turn.release()
    assert turn.take(request)  # it may try again
    turn.release()
    assert turn.end(request)
    assert bytes(turn.out) == b""
    assert not turn.end(request)  # an answer counts once


@NEEDS_GIL
def test_a_clean_up_can_be_taken_but_has_nothing_to_answer() -> None:
    turn = Turn()
    late = turn.nobody_asks("a/b")
    assert (turn.method, late.id) == ("a/b", 0)

    def standby() -> None:
        assert turn.take(late)
        until_asked(turn)
        turn.release()

    with beside(standby):
        deadline = time.monotonic() + WAIT_S
        while not turn.taken:
            assert time.monotonic() < deadline
        assert not turn.end(late)
    assert turn.current is None


def test_what_reports_a_failure_is_not_interrupted() -> None:
    turn, request = Turn(), Request("a/b", 1)
    turn.begin(request, None)
    turn.settle()
    assert not turn.interruptible
    turn.end(request)
    turn.begin(request, None)
    assert turn.interruptible


def test_recovery_keeps_what_is_not_begun_in_order() -> None:
    turn = Turn()
    turn.lines = iter([b"1", b"2", b"3"])
    fourth = Request("a/b", 4)
    turn.queue(fourth, 10)
    next(turn.lines)
    turn.begin(Request("a/b", 1), None)
    turn.recover()
    assert turn.current is None
    assert (turn.unread(), turn.next_request()) == ([b"2", b"3"], fourth)


def test_dropping_forgets_what_is_not_begun() -> None:
    turn = Turn()
    turn.lines = iter([b"1", b"2"])
    turn.queue(Request("a/b", 3), 10)
    turn.drop()
    assert (turn.unread(), turn.next_request(), turn.pending_bytes) == ([], None, 0)


@NEEDS_GIL
def test_one_thread_at_a_time_owns_the_wire_and_one_answers() -> None:
    """Two threads that never rest: each round one request, taken or not, answered once."""
    turn, over = Turn(), Event()
    owner: list[str] = []
    answers: list[int] = []

    def own(who: str) -> None:
        owner.append(who)
        assert owner == [who]
        owner.remove(who)

    def standby() -> None:
        while not over.is_set():
            current = turn.current
            if current is None or not turn.take(current):
                continue
            own("standby")
            assert isinstance(current.id, int)
            if current.id % 3 and turn.claim_answer(current):
                answers.append(current.id)
            until_asked(turn)
            own("standby")
            turn.release()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with beside(standby):
            for number in range(1, ROUNDS + 1):
                request = Request("a/b", number)
                own("main")
                turn.begin(request, None)
                for _ in range(number % 50):
                    pass
                if not turn.end(request):
                    answers.append(number)
                own("main")
            over.set()
    finally:
        sys.setswitchinterval(interval)
    assert answers == list(range(1, ROUNDS + 1))


def test_without_a_gil_the_wire_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "gil_enabled", lambda: False)
    turn, request = Turn(), Request("a/b", 1)
    turn.begin(request, None)
    assert not turn.take(request)
    assert not turn.taken
    assert not turn.end(request)


def test_whether_there_is_a_gil_is_asked_of_the_interpreter() -> None:
    asked = getattr(sys, "_is_gil_enabled", None)
    assert module.gil_enabled() is (True if asked is None else asked())
