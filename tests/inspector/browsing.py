"""A real browser for the page's tests, or the reason why there is none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GIVEN = "ANIMUS_TEST_CHROMIUM"
WAIT_MS = 20_000
WIDE = (1280, 800)
NARROW = (360, 740)


@contextmanager
def chromium() -> Iterator["Browser"]:
    """The browser, for as long as the context is open."""
    program = os.environ.get(GIVEN) or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip(
            "there is no chromium here: `apt-get install chromium`, or name one's path in " + GIVEN
        )
    if find_spec("playwright") is None:
        pytest.skip("playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Containers have no user namespaces for the sandbox; nothing but the page is opened.
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: "Browser",
    address: str,
    size: tuple[int, int] = WIDE,
    scheme: Literal["light", "dark"] = "light",
) -> Iterator["Page"]:
    """A page of a person who has never been there; whatever goes wrong in it is an error."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB"
    )
    problems: list[str] = []

    def told(message: Any) -> None:
        # A browser tells of every answer above 399; what the page does about it is tested.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            problems.append(message.text)

    try:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", told)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        page.locator("#status[data-state=running]").wait_for()
        yield page
        assert problems == []
    finally:
        context.close()
