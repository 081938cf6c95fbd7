"""GitHub on the loopback, and the plugin in a process of its own: one of each for many tests."""

from collections.abc import Iterator

import pytest
from example_host import served
from github_calls import COMMAND, variables
from github_server import GitHub, github

from animus_routes.host import Plugin


@pytest.fixture(scope="module")
def server() -> Iterator[GitHub]:
    with github() as found:
        yield found


@pytest.fixture(scope="module")
def process(server: GitHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    with served(COMMAND, tmp_path_factory.mktemp("github"), env=variables(server)) as started:
        yield started


@pytest.fixture
def there(server: GitHub) -> GitHub:
    """An empty GitHub."""
    with server.lock:
        server.repos = {"o/r": {}, "o/two": {}}
        server.asked, server.moved, server.seconds, server.renamed = [], {}, 0, {}
        server.counted, server.may_push = False, True
        server.between, server.respond = lambda: None, lambda *_: None
    return server


@pytest.fixture
def plugin(process: Plugin, there: GitHub) -> Plugin:
    return process
