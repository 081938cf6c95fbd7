"""Takes the pictures of docs/inspect.md: the page of `animus-routes inspect`, looking at an example.

`python tools/screenshots.py [FOLDER]` writes PNG files to FOLDER, `docs/images` unless it is given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "inspector"))

from browsing import NARROW, chromium, opened  # noqa: E402 - found by the line above
from inspecting import Inspector, inspected  # noqa: E402 - as above

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

EXAMPLE: Final = "tasks_sqlite.py"
SIZE: Final = (1190, 640)
TALL: Final = (1000, 700)
MOST_BYTES: Final = 150_000
TASKS: Final = (
    {"title": "Write the release notes", "status": "ready", "priority": 2, "labels": ["docs"]},
    {"title": "Answer the host within its bound", "status": "in-progress", "priority": 4},
    {"title": "Paint the shed", "status": "blocked", "description": "Any colour will do."},
)


def main(arguments: list[str]) -> int:
    """Take them; the exit code is 1 if one is too large for a page that is read."""
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    example = ROOT / "examples" / EXAMPLE
    with (
        tempfile.TemporaryDirectory() as project,
        chromium() as browser,
        inspected(example, cwd=Path(project)) as inspector,
    ):
        inspector.running()
        _fill(inspector)
        _wide(browser, inspector, folder)
        _dark(browser, inspector, folder)
        _narrow(browser, inspector, folder)
    large = [p.name for p in sorted(folder.glob("inspect-*.png")) if p.stat().st_size > MOST_BYTES]
    for path in sorted(folder.glob("inspect-*.png")):
        print(path, path.stat().st_size)
    return 1 if large else 0


def _fill(inspector: Inspector) -> None:
    for task in TASKS:
        inspector.call("task/create", {"kind": "task", **task})
    for limit in range(1, 25):
        inspector.call("task/list", {"limit": limit})
        inspector.call("task/get", {"id": f"task:{limit % 5}"})


def _show(page: Page, inspector: Inspector, view: str) -> None:
    page.goto(f"{inspector.address}#/{view}")
    page.locator("main h1").wait_for()
    page.mouse.move(0, 0)


def _shoot(page: Page, folder: Path, name: str, **options: Any) -> None:
    page.screenshot(path=folder / f"inspect-{name}.png", animations="disabled", **options)


def _wide(browser: Browser, inspector: Inspector, folder: Path) -> None:
    with opened(browser, inspector.address, SIZE) as page:
        # What is of the machine that takes them is no part of the picture.
        for name, text in (("Command", f"python {EXAMPLE}"), ("Folder", "~/project")):
            fact = page.locator(f"dl > div:has(dt:text-is('{name}')) code")
            fact.evaluate("(node, text) => { node.textContent = text; }", text)
        _shoot(page, folder, "overview")
        _show(page, inspector, "method/task%2Flist")
        page.get_by_label("Send limit").check()
        page.locator(".field[data-name=limit] input[inputmode]").fill("2")
        page.keyboard.press("Control+Enter")
        page.get_by_text("task:2").first.wait_for()
        page.get_by_label("Send limit").scroll_into_view_if_needed()
        page.evaluate("window.scrollTo(0, 0)")
        _shoot(page, folder, "method")
        _show(page, inspector, "latency")
        _shoot(page, folder, "latency")
        _show(page, inspector, "check")
        page.get_by_role("button", name="Run the checks").click()
        page.locator(".checks li").nth(14).wait_for()
        _shoot(page, folder, "check")
        page.get_by_role("button", name="Stop", exact=True).click()


def _dark(browser: Browser, inspector: Inspector, folder: Path) -> None:
    with opened(browser, inspector.address, TALL, "dark") as page:
        _show(page, inspector, "wire")
        page.get_by_label("Send a raw frame").fill('{"jsonrpc":"2.0","id":"a","method":"$/ping"}')
        page.get_by_role("button", name="Send", exact=True).click()
        answer = page.locator(".frames li", has_text='"id":"a","result"')
        answer.locator("button.frame").click()
        answer.locator("pre").wait_for()
        page.locator(".frames").evaluate("list => { list.scrollTop = list.scrollHeight; }")
        page.evaluate("window.scrollTo(0, 0)")
        _shoot(page, folder, "wire")


def _narrow(browser: Browser, inspector: Inspector, folder: Path) -> None:
    with opened(browser, inspector.address, NARROW) as page:
        _show(page, inspector, "method/task%2Fcreate")
        page.get_by_label("Send status").check()
        page.locator(".field[data-name=title] textarea").fill("Feed the cat")
        page.evaluate("window.scrollTo(0, 0)")
        _shoot(page, folder, "narrow")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
