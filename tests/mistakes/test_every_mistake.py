"""The list of mistakes that authors make, number by number, and where each is held."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
START = "mistakes/test_mistakes_at_start.py"
RESULT = "mistakes/test_mistakes_in_results.py"
COMMAND = "mistakes/test_mistakes_on_the_command_line.py"

# The file, and the name of the test in it, or the beginning of a row's id.
HELD: dict[int, tuple[str, str]] = {
    1: (START, "01-a-typing-error-in-a-name"),
    2: (START, "02-a-required-method-is-missing"),
    3: (START, "03-a-hint-that-is-not-the-wires"),
    4: (START, "04-a-result-that-is-not-the-wires"),
    5: (RESULT, "05-a-str-for-a-subject"),
    6: (RESULT, "06-a-typing-error-in-a-key"),
    7: ("engine/test_blocked_loop.py", "def test_"),
    8: ("engine/test_clean_wire.py", "test_whatever_a_handler_writes_reaches_stderr"),
    9: (START, "test_09_and_10_what_python_says"),
    10: (START, "test_09_and_10_what_python_says"),
    11: (START, "11-an-unknown-kind"),
    12: (COMMAND, "test_12_a_syntax_error"),
    13: (COMMAND, "test_13_a_circular_import"),
    14: (COMMAND, "test_14_a_missing_dependency"),
    15: (START, "15-a-decorator-without-its-name"),
    16: (COMMAND, "test_16_a_function_that_makes_the_app"),
    17: (START, "17-a-method-twice"),
    18: (START, "18-a-router-twice"),
    19: (START, "19-a-parameter-that-no-host-sends"),
    20: (START, "20-a-hint-for-type-checkers-alone"),
    21: (START, "21-no-subject-kinds"),
    22: (START, "22-a-string-for-a-list"),
    23: (START, "23-a-variable-for-a-list"),
    24: (START, "24-an-unknown-key"),
    25: (START, "25-a-version"),
    26: (COMMAND, "test_26_a_file_that_does_not_run_its_app"),
    27: (START, "27-self-in-a-function"),
    28: (START, "28-a-decorator-inside-a-class"),
    29: (START, "29-a-method-of-another-kind"),
    30: (START, "30-the-whole-params-beside-a-field"),
    31: (START, "31-a-generator-for-a-list"),
    32: (RESULT, "32-a-watch-that-returns-a-list"),
    33: (RESULT, "test_33_an_item_that_no_host_decodes"),
    34: (RESULT, "34-a-dict-of-subjects"),
    35: (RESULT, "35-a-list-and-its-cursor"),
    36: (RESULT, "36-a-status-that-hosts-do-not-know"),
    37: (START, "37-depends-as-a-default"),
    38: (START, "38-depends-on-what-a-call-gave"),
    39: (START, "39-an-async-dependency-of-a-plain-handler"),
    40: (START, "40-a-bare-ctx"),
    41: (START, "41-a-lifespan-without-a-yield"),
    42: ("engine/test_operator.py", "the plugin cannot start, its lifespan failed"),
    43: (COMMAND, "test_43_a_lifespan_that_hangs"),
    44: (RESULT, "44-a-missing-await"),
    45: (RESULT, "45-an-object-deep-inside"),
    46: (RESULT, "test_46_a_log_line_fails_no_call"),
    47: (START, "test_47_a_router_that_nobody_includes"),
    48: (COMMAND, "test_48_a_variable_that_is_read_at_import"),
    49: (COMMAND, "test_49_a_variable_that_hosts_do_not_pass_on"),
    50: (COMMAND, "test_50_a_required_variable"),
    51: (RESULT, "test_51_an_error_that_is_turned_around"),
    52: (COMMAND, "test_52_a_wrong_way_to_an_app"),
    53: (COMMAND, "test_53_an_unknown_method"),
    54: (COMMAND, "test_54_an_end_without_an_answer"),
    55: (COMMAND, "test_55_make_names_the_python"),
    56: (RESULT, "test_56_middleware_that_returns_nothing"),
    57: (RESULT, "test_57_a_path_is_read_and_written"),
    58: (RESULT, "test_58_a_status_that_the_protocol_has_not"),
}


def test_every_number_is_held() -> None:
    assert list(HELD) == list(range(1, 59))


@pytest.mark.parametrize("number", HELD)
def test_what_holds_a_number_is_there(number: int) -> None:
    file, name = HELD[number]
    assert name in (TESTS / file).read_text("utf-8")
