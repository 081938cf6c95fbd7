"""Each mishap of an installed file, and of its start, is named for what it is."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from conformance_runs import PLAIN, at_once, executable, failed

from animus_routes.conformance import Options, Report, Verdict, check

SOURCE = PLAIN.read_text("utf-8")
NAME = "animus-subject-plain"
HEAD = f"#!{sys.executable}\n"
BODY = SOURCE.split("\n", 1)[1]


def installed(file: Path) -> Report:
    """The checks of a file; short of time, because the start is what counts."""
    return check(str(file), Options(timeout_s=5.0))


class Mishap(NamedTuple):
    """A file that does not start, the check that says so, and what it says."""

    check: str
    reason: str
    text: Callable[[Path], str | bytes]
    name: str = NAME
    mode: int = 0o755


def spaced(folder: Path) -> str:
    place = folder / "with a space"
    place.mkdir()
    (place / "python").symlink_to(sys.executable)
    return f"#!{place / 'python'}\n{BODY}"


MISHAPS = {
    "no exec bit": Mishap(
        "form.executable", "has no exec bit", lambda _: HEAD + BODY, mode=0o644
    ),
    "no first line": Mishap("form.first-line", "no `#!` at its start", lambda _: BODY),
    "CRLF": Mishap(
        "form.first-line", "CRLF", lambda _: (HEAD + BODY).replace("\n", "\r\n").encode()
    ),
    "a space": Mishap("form.first-line", "there is a space in the path", spaced),
    "255 bytes": Mishap(
        "form.first-line", "has 302 bytes", lambda _: f"#!/{'x' * 299}\n{BODY}"
    ),
    "no interpreter": Mishap(
        "form.first-line", "is gone: there is no /no/such/python", lambda _: f"#!/no/such/python\n{BODY}"
    ),
    "no interpreter on PATH": Mishap(
        "form.first-line", "there is no no-such-python on PATH", lambda _: f"#!/usr/bin/env no-such-python\n{BODY}"
    ),
    "another name": Mishap(
        "form.name", "the file is called animus-other", lambda _: HEAD + BODY, "animus-other"
    ),
    "stray bytes": Mishap(
        "start.manifest", "stray bytes before the manifest: b'hello", lambda _: f'#!/bin/sh\necho hello\nexec {sys.executable} {PLAIN} "$@"\n'
    ),
    "stray bytes behind": Mishap(
        "start.manifest", "stray bytes behind the manifest: b'\\nbye", lambda _: f'#!/bin/sh\n{sys.executable} {PLAIN} "$@"\necho bye\n'
    ),
    "a slow import": Mishap(
        "start.manifest", "it takes more than 5 s", lambda _: "#!/bin/sh\nexec sleep 30\n"
    ),
    "an open pipe": Mishap(
        "start.manifest", "a child of it holds its output open", lambda _: f'#!/bin/sh\nsleep 8 &\nexec {sys.executable} {PLAIN} "$@"\n'
    ),
    "a variable": Mishap(
        "start.manifest", "it reads the variable NO_SUCH_TOKEN", lambda _: f"{HEAD}import os\nos.environ['NO_SUCH_TOKEN']\n{BODY}"
    ),
    "an exit code": Mishap("start.manifest", "its exit code is 3", lambda _: "#!/bin/sh\nexit 3\n"),
    "never run": Mishap(
        "start.manifest", "the file never runs its app", lambda _: HEAD + BODY.replace("    main()\n", "    pass\n")
    ),
    "an app that is never run": Mishap(
        "start.manifest", "the file never runs its app", lambda _: f'{HEAD}from animus_routes import App\napp = App(kind="custom", name="x", version="1.0.0", description="d")\n'
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    calls: dict[str, Callable[[], Report]] = {}
    for what, mishap in MISHAPS.items():
        folder = tmp_path_factory.mktemp("mishap")
        file = executable(folder / mishap.name, mishap.text(folder), mishap.mode)
        calls[what] = partial(installed, file)
    right = executable(tmp_path_factory.mktemp("right") / NAME, HEAD + BODY)
    return at_once({**calls, "none": partial(installed, right)})


@pytest.mark.parametrize("what", MISHAPS)
def test_a_mishap_is_named_for_what_it_is(what: str, reports: dict[str, Report]) -> None:
    found = failed(reports[what])
    assert list(found) == [MISHAPS[what].check]
    assert MISHAPS[what].reason in found[MISHAPS[what].check]


def test_what_depends_on_a_failed_check_is_skipped_for_it(reports: dict[str, Report]) -> None:
    results = {result.id: result for result in reports["an exit code"].results}
    handshake = results["start.handshake"]
    assert (handshake.verdict, handshake.reason) == (Verdict.SKIP, "start.manifest failed")


def test_a_file_that_is_as_hosts_want_it_passes(reports: dict[str, Report]) -> None:
    report = reports["none"]
    assert failed(report) == {}
    passed = {result.id for result in report.of(Verdict.PASS)}
    assert {"form.executable", "form.first-line", "form.name", "start.manifest"} <= passed


def test_the_form_of_an_app_or_a_python_file_is_nobodys_business() -> None:
    report = check(str(PLAIN), word="form.")
    assert {result.verdict for result in report.results} == {Verdict.SKIP}
