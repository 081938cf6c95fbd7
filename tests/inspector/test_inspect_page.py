"""The page in a real browser, as people use it: with a mouse, with a keyboard, on a phone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from browsing import NARROW, chromium, opened
from inspecting import HOSTILE, SHAPES, Inspector, inspected

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

VIEWS = ("overview", "wire", "stderr", "latency", "check", "method/draw", "method/shape%2Fbig")


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspector]:
    with inspected(SHAPES, cwd=tmp_path_factory.mktemp("project")) as found:
        yield found


@pytest.fixture
def page(browser: "Browser", shapes: Inspector) -> Iterator["Page"]:
    with opened(browser, shapes.address) as found:
        yield found


def method(page: "Page", name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def field(page: "Page", name: str) -> "Locator":
    return page.locator(f".field[data-name='{name}']").first


def send(page: "Page", **params: Any) -> "Locator":
    """Call the method that is shown, with the params as JSON, and return its newest card."""
    page.get_by_role("tab", name="JSON").click()
    page.get_by_label("Params as JSON").fill(json.dumps(params))
    return press(page)


def press(page: "Page") -> "Locator":
    """Press the button, and return the card of the call."""
    cards = page.locator("article.call")
    before = cards.first.get_attribute("aria-label") if cards.count() else ""
    page.get_by_role("button", name="Call", exact=True).click()
    page.wait_for_function(
        "before => document.querySelector('article.call')?.getAttribute('aria-label') !== before "
        "&& document.querySelector('article.call') !== null",
        arg=before,
    )
    return page.locator(f"article[aria-label='{cards.first.get_attribute('aria-label')}']")


def result(card: "Locator") -> Any:
    return json.loads(card.locator(".answer pre").inner_text())


# What it is -------------------------------------------------------------------------------------


def test_the_overview_tells_what_the_plugin_is_and_how_it_feels(page: "Page") -> None:
    page.get_by_role("heading", name="animus-custom-shapes", level=1).wait_for()
    page.get_by_label("Health").get_by_text("healthy", exact=True).wait_for()
    page.get_by_text("The manifest as JSON").click()
    assert '"plugin_kind": "custom"' in page.locator("details[open] pre").inner_text()
    names = page.locator("#methods a").all_inner_texts()
    assert names[:2] == ["draw", "shape/refuse"]
    assert "health/check" in names


# Forms ------------------------------------------------------------------------------------------


def test_a_form_is_made_from_the_schema_and_sent_as_params(page: "Page") -> None:
    method(page, "draw")
    shape = field(page, "shape")
    field(page, "name").locator("textarea").fill("star\nof lines")
    shape.get_by_label("Send colour").check()
    field(page, "colour").locator("select").select_option(label="green")
    shape.get_by_label("Send points").check()
    field(page, "points").get_by_role("button", name="Add an item to points").click()
    field(page, "x").locator("input").fill("1.50")
    shape.get_by_label("Send tags").check()
    field(page, "tags").get_by_role("button", name="Add a field to tags").click()
    field(page, "tags").get_by_label("tags: name of the field").fill("size")
    field(page, "tags").get_by_label("tags: value of the field").fill("xl")
    field(page, "scale").locator("input").fill("3")
    page.get_by_label("Send solid").check()
    field(page, "solid").locator("select").select_option(label="true")
    page.get_by_label("Send note").check()
    field(page, "note").get_by_label("note: which form").select_option(label="null")
    assert result(press(page)) == {
        "shape": {
            "name": "star\nof lines",
            "colour": "green",
            "points": [{"x": 1.5, "y": 0.0}],
            "tags": {"size": "xl"},
        },
        "scale": 3,
        "note": None,
        "solid": True,
    }


def test_what_is_no_number_is_told_where_it_stands(page: "Page") -> None:
    method(page, "draw")
    field(page, "name").locator("textarea").fill("x")
    scale = field(page, "scale").locator("input")
    scale.fill("3.5")
    page.get_by_role("button", name="Call", exact=True).click()
    page.get_by_text("scale has to be a whole number").wait_for()
    assert scale.evaluate("input => input === document.activeElement")
    assert scale.get_attribute("aria-invalid") == "true"


def test_the_form_and_its_json_are_the_same_params(page: "Page") -> None:
    method(page, "draw")
    field(page, "name").locator("textarea").fill("x")
    field(page, "scale").locator("input").fill("12345678901234567890123")
    page.get_by_role("tab", name="JSON").click()
    area = page.get_by_label("Params as JSON")
    assert '"scale": 12345678901234567890123' in area.input_value()
    area.fill('{"shape": {"name": "y", "points": [{"x": 7}]}, "scale": 2, "more": [1]}')
    page.get_by_role("tab", name="Form").click()
    assert field(page, "x").locator("input").input_value() == "7"
    assert page.get_by_label("params: name of the field").input_value() == "more"
    page.get_by_role("tab", name="JSON").click()
    area.fill('{"shape": 5')
    page.get_by_role("tab", name="Form").click()
    page.get_by_text("not JSON: line 1, column 12").wait_for()
    area.fill('{"shape": 5}')
    page.get_by_role("tab", name="Form").click()
    page.get_by_text("shape: the form has no place for 5").wait_for()


def test_params_are_remembered(page: "Page") -> None:
    method(page, "draw")
    field(page, "name").locator("textarea").fill("kept")
    field(page, "scale").locator("input").fill("42")
    page.reload()
    page.locator("#status[data-state=running]").wait_for()
    assert field(page, "name").locator("textarea").input_value() == "kept"
    assert field(page, "scale").locator("input").input_value() == "42"
    page.get_by_role("button", name="Clear").click()
    page.reload()
    page.locator("#status[data-state=running]").wait_for()
    assert field(page, "scale").locator("input").input_value() == ""


# Calls ------------------------------------------------------------------------------------------


def test_an_error_is_shown_with_its_code_and_data(page: "Page") -> None:
    method(page, "shape/refuse")
    card = press(page)
    card.get_by_text("error -32602").wait_for()
    assert "not found: shape 'round'" in card.inner_text()
    card.get_by_text("Its data").click()
    assert result_of_fold(card) == {"category": "not_found"}


def result_of_fold(card: "Locator") -> Any:
    return json.loads(card.locator("details pre").inner_text())


def test_a_call_over_its_time_shows_stderr_and_is_cancelled(page: "Page") -> None:
    method(page, "shape/wait")
    page.locator("input.seconds").fill("0.3")
    card = press(page)
    card.get_by_text("Nothing came within 0.3 s").wait_for()
    card.get_by_text("waiting for paint").wait_for()
    card.get_by_role("button", name="Cancel").click()
    card.get_by_text("cancelled", exact=True).first.wait_for()
    assert card.get_by_role("button", name="Cancel").count() == 0


def test_items_of_a_stream_come_as_they_are_sent_until_it_is_cancelled(page: "Page") -> None:
    method(page, "shape/count")
    card = send(page, upto=300, forever=True)
    card.get_by_text("300 items, the last 200 of them").wait_for()
    assert '"number": 299' in card.locator(".items li").last.inner_text()
    assert card.locator(".items li").count() == 200
    card.get_by_role("button", name=re.compile("Cancel|Stop")).click()
    card.get_by_text("cancelled", exact=True).first.wait_for()


def test_a_big_result_is_cut_and_can_be_had_whole(page: "Page") -> None:
    method(page, "shape/big")
    card = send(page, size=400_000)
    card.get_by_text("64.0 KiB of 390.7 KiB are shown.").wait_for()
    assert len(card.locator(".answer pre").inner_text()) == 64 * 1024
    with page.expect_download() as download:
        card.get_by_role("link", name="Save the frame").click()
    assert json.loads(Path(download.value.path()).read_bytes())["result"] == "x" * 400_000
    card.get_by_role("button", name="Show all of it").click()
    card.locator(".cut").wait_for(state="detached")
    assert result(card) == "x" * 400_000


def test_the_params_of_a_call_can_be_used_again(page: "Page") -> None:
    method(page, "shape/big")
    card = send(page, size=17)
    assert result(card) == "x" * 17
    page.get_by_role("tab", name="Form").click()
    field(page, "size").locator("input").fill("1")
    card.get_by_role("button", name="Use these params").click()
    assert field(page, "size").locator("input").input_value() == "17"


# The wire ---------------------------------------------------------------------------------------


def test_every_frame_is_shown_and_raw_ones_are_sent_as_typed(page: "Page") -> None:
    page.get_by_role("link", name="Wire", exact=True).click()
    first = page.locator(".frames li").first
    assert re.search(r"\d\d:\d\d:\d\d\.\d{3}", first.inner_text())
    text = '{"jsonrpc" :"2.0", "id":"from-me",  "method":"$/ping"}'
    page.get_by_label("Send a raw frame").fill(text)
    page.keyboard.press("Control+Enter")
    page.get_by_label("Show only frames").fill("from-me")
    sent, answer = page.locator(".frames li").nth(0), page.locator(".frames li").nth(1)
    answer.get_by_text("result", exact=True).wait_for()
    assert "to the plugin" in sent.inner_text()
    assert "from the plugin" in answer.inner_text()
    sent.get_by_role("button").first.click()
    sent.locator(".whole pre").wait_for()
    assert sent.locator(".preview").text_content() == text
    assert json.loads(answer.locator(".preview").inner_text())["id"] == "from-me"


def test_latencies_are_plotted_for_each_method(page: "Page") -> None:
    method(page, "shape/big")
    send(page, size=1).get_by_text("answered", exact=True).wait_for()
    page.get_by_role("link", name="Latency", exact=True).click()
    row = page.get_by_role("row", name=re.compile("^shape.big"))
    dots = row.locator("circle").count()
    assert dots == int(row.get_by_role("cell").first.inner_text()) >= 1
    assert row.locator(".median").count() == 1
    assert re.search(r"median [\d.]+ m?s", row.get_by_role("img").get_attribute("aria-label") or "")


def test_a_recording_is_begun_and_ended_from_the_page(page: "Page") -> None:
    page.get_by_role("button", name="Record", exact=True).click()
    page.get_by_text("Recording into").wait_for()
    page.get_by_role("button", name="Stop recording").click()
    page.get_by_text("Recorded: ").wait_for()
    file = Path(page.locator("#notice").inner_text().removeprefix("Recorded: "))
    assert '"method":"initialize"' in file.read_text("utf-8")


# Restarts and checks ----------------------------------------------------------------------------


def test_a_change_restarts_it_and_what_is_typed_stays(browser: "Browser", tmp_path: Path) -> None:
    plugin = tmp_path / "shapes.py"
    plugin.write_text(SHAPES.read_text("utf-8"), "utf-8")
    with inspected(plugin, cwd=tmp_path) as own, opened(browser, own.address) as page:
        method(page, "draw")
        field(page, "scale").locator("input").fill("8")
        text = plugin.read_text("utf-8")
        plugin.write_text(text.replace('"shape/die"', '"shape/end"'), "utf-8")
        page.get_by_role("link", name="shape/end", exact=True).wait_for()
        assert field(page, "scale").locator("input").input_value() == "8"
        method(page, "shape/end")
        press(page).get_by_text("the plugin ended with exit code 3").wait_for()
        page.locator("#status[data-state=ended]").wait_for()
        page.get_by_role("button", name="Restart", exact=True).click()
        page.locator("#status[data-state=running]").wait_for()
        page.get_by_role("link", name="Check", exact=True).click()
        page.get_by_role("button", name="Run the checks").click()
        page.locator(".checks li").first.wait_for()
        page.get_by_role("button", name="Stop").click()
        page.get_by_text("They did not come to their end").wait_for()


# Strangers --------------------------------------------------------------------------------------


def test_what_a_plugin_says_is_never_markup(browser: "Browser", tmp_path: Path) -> None:
    with inspected(HOSTILE, cwd=tmp_path) as own, opened(browser, own.address) as page:
        for number in range(page.locator("#nav a").count()):
            page.locator("#nav a").nth(number).click()
            for button in page.get_by_role("button", name="Call", exact=True).all():
                button.click()
                page.locator("article.call").first.wait_for()
            for box in page.locator("main input[type=checkbox]").all():
                box.check()
            for summary in page.locator("main summary").all():
                summary.click()
            assert page.locator("main img, main script, main iframe").count() == 0
            assert page.locator("a[href^='javascript']").count() == 0
        assert page.title() != "owned"
        page.goto(f"{own.address}#/wire")
        assert page.locator("li[data-what=stray]").count() > 0
        assert page.title() != "owned"


# Everybody --------------------------------------------------------------------------------------


def test_all_of_it_can_be_done_with_the_keyboard(page: "Page") -> None:
    keys = page.keyboard
    focused = "document.activeElement.textContent || document.activeElement.id"
    keys.press("Tab")
    assert page.evaluate(focused) == "Skip to the content"
    for _ in range(20):
        keys.press("Tab")
        if page.evaluate("document.activeElement.id") == "filter":
            break
    keys.type("shape/wa")
    keys.press("Tab")
    assert page.evaluate(focused) == "shape/wait"
    keys.press("Enter")
    page.get_by_role("heading", name="shape/wait", level=1).wait_for()
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(20):
        keys.press("Tab")
        if page.evaluate(focused) == "Call":
            break
    keys.press("Enter")
    card = page.locator("article.call").first
    card.get_by_text("waiting", exact=True).first.wait_for()
    for _ in range(20):
        keys.press("Tab")
        if page.evaluate(focused) == "Cancel":
            break
    keys.press("Enter")
    card.get_by_text("cancelled", exact=True).first.wait_for()
    assert "shape/wait was cancelled" in page.locator("#live").inner_text()


def test_tabs_and_ctrl_enter_work_without_a_mouse(page: "Page") -> None:
    method(page, "shape/big")
    page.get_by_role("tab", name="Form").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_label("Params as JSON").fill('{"size": 2}')
    page.keyboard.press("Control+Enter")
    page.get_by_text('"xx"').first.wait_for()


def test_a_narrow_screen_shows_everything_without_scrolling_sideways(
    browser: "Browser", shapes: Inspector
) -> None:
    with opened(browser, shapes.address, NARROW) as page:
        assert not page.locator("#nav").is_visible()
        page.get_by_role("button", name="Menu").press("Enter")
        page.get_by_role("link", name="draw", exact=True).click()
        assert not page.locator("#nav").is_visible()
        for box in page.get_by_role("checkbox", name=re.compile("^Send ")).all():
            box.check()
        for name in (*VIEWS, "method/draw"):
            page.goto(f"{shapes.address}#/{name}")
            page.locator("main h1").wait_for()
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) == 0, name


NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, a, [role=img]")]
    .filter((node) => node.checkVisibility() && !node.labels?.length
        && !node.getAttribute("aria-label") && !node.textContent.trim())
    .map((node) => node.outerHTML)"""

# The contrast of every text with what is behind it, where that is too little (WCAG 2, AA).
FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => colour.slice(0, 3)
    .map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const hasText = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (!hasText || !node.checkVisibility() || node.disabled) continue;
    const parts = [light(rgba(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    const ratio = (parts[0] + 0.05) / (parts[1] + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.outerHTML.slice(0, 80)}`);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_and_enough_contrast(
    browser: "Browser", shapes: Inspector, scheme: Literal["light", "dark"]
) -> None:
    with opened(browser, shapes.address, scheme=scheme) as page:
        for name in VIEWS:
            page.goto(f"{shapes.address}#/{name}")
            page.locator("main h1").wait_for()
            for box in page.get_by_role("checkbox", name=re.compile("^Send ")).all():
                box.check()
            for button in page.get_by_role("button", name=re.compile("^Add an? ")).all():
                button.click()
            assert page.evaluate(NAMELESS) == [], name
            assert page.evaluate(FAINT) == [], name
