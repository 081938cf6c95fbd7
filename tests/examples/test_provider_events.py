"""Events of an endpoint's stream that cannot be read."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_endpoint import Endpoint, chat_endpoint
from example_host import EXAMPLES, served

OPENAI = [sys.executable, str(EXAMPLES / "provider_openai.py")]
BROKEN = [b"{broken", b"[1]", b'{"choices": "none"}', b'{"usage": "\xff"}']


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with chat_endpoint() as endpoint:
        yield endpoint


@pytest.mark.parametrize("data", BROKEN)
def test_one_that_holds_nothing_of_the_answer_is_skipped(
    endpoint: Endpoint, tmp_path: Path, data: bytes
) -> None:
    env = {"OPENAI_BASE_URL": endpoint.base, "OPENAI_MODEL": "any"}
    with served(OPENAI, tmp_path, env=env) as plugin:
        request = plugin.request("agent/run", {"prompt": "hello", "cwd": str(tmp_path)})
        exchange = endpoint.next()
        exchange.say("so far ")
        exchange.raw(b"data: " + data + b"\n\n")
        exchange.say("so good")
        exchange.end()
        assert plugin.reply(request)["output"] == "so far so good"
    told = "agent/run: an event is skipped: the endpoint's stream cannot be read: "
    assert plugin.stderr_text().count(told) == 1
