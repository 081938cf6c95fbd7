"""Both timelines: each step comes after the one that it is for."""

import ast
from itertools import pairwise

from repo_files import files, tree

from animus_routes.engine import exit as timeline


def increases(*moments: float) -> bool:
    return all(one < other for one, other in pairwise(moments))


def test_a_shutdown_goes_step_by_step_within_the_hosts_patience() -> None:
    assert increases(
        timeline.SHUTDOWN_TRIP_S,
        timeline.SHUTDOWN_INTERRUPT_S,
        timeline.SHUTDOWN_FINISH_S,
        timeline.SHUTDOWN_LIFESPAN_S,
        timeline.SHUTDOWN_LATE_S,
        timeline.SHUTDOWN_HOST_S,
    )


def test_the_end_goes_step_by_step_within_what_is_promised() -> None:
    assert increases(
        timeline.END_FINISH_S,
        timeline.END_INTERRUPT_S,
        timeline.END_CLEAN_UP_S,
        timeline.END_FORCE_S,
        timeline.END_FORCE_S + timeline.LAST_WORD_S,
        timeline.END_PROMISED_S,
    )


def test_each_step_is_tried_before_the_next_one_is_due() -> None:
    assert increases(timeline.END_INTERRUPT_S + timeline.STEP_S, timeline.END_CLEAN_UP_S)
    assert increases(timeline.SHUTDOWN_LIFESPAN_S + timeline.STEP_S, timeline.SHUTDOWN_LATE_S)


def test_a_bound_of_the_engine_has_one_name_and_one_value() -> None:
    seen: dict[str, str] = {}
    for name in files("animus_routes/engine/*.py"):
        for node in tree(name).body:
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and target.id.endswith("_S"):
                assert target.id not in seen, f"{name} and {seen[target.id]} have {target.id}"
                seen[target.id] = name
    assert len(seen) > 10
