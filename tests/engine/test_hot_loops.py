"""The loops that run for as long as a plugin serves are such that Python makes them fast."""

import dis
from collections.abc import Callable
from typing import Any

import pytest

from animus_routes.engine.emitter import Emitter
from animus_routes.engine.pool import Pool
from animus_routes.engine.process import Process
from animus_routes.engine.server import Server


@pytest.mark.parametrize(
    "function",
    [
        Process._read_all,
        Server.run_lines,
        Emitter._go_on,
        Pool._serve,
    ],
    ids=lambda function: function.__qualname__,
)
def test_a_loop_that_is_called_once_is_made_fast(function: Callable[..., Any]) -> None:
    # Python 3.11 counts calls, and jumps back that have no condition; newer ones count all.
    jumps = {step.opname for step in dis.get_instructions(function)}
    assert any(name.startswith("JUMP_BACKWARD") for name in jumps)
    assert not any(name.startswith("POP_JUMP_BACKWARD") for name in jumps)
