"""What can become of an answer of a tracker on the loopback; see `linear_server` and `jira_server`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from animus_routes.host import Plugin


def written(plugin: Plugin) -> str:
    """All that a plugin has written to stderr, until its end."""
    plugin.close_stdin()
    plugin.wait(20)
    return plugin.stderr_text()


Fault = Callable[[Any], bool]


class Upstream(ThreadingHTTPServer):
    """A server whose clients may go away."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@contextmanager
def upstream(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on the loopback until the end; gives the address."""
    server = Upstream(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def answer(status: int, body: Any, **headers: str) -> Fault:
    """Another answer: a refusal, or something else altogether."""

    def fault(handler: Any) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.send(status, body, named)
        return True

    return fault


def torn(handler: Any) -> bool:
    """The beginning of an answer; then the connection is gone."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": {"iss')
    handler.close_connection = True
    return True


def silent(over: threading.Event) -> Fault:
    """No answer, as long as the test lasts."""

    def fault(handler: Any) -> bool:
        over.wait(20)
        handler.close_connection = True
        return True

    return fault


def meanwhile(act: Callable[[], object]) -> Fault:
    """Something happens before the answer."""

    def fault(_handler: Any) -> bool:
        act()
        return False

    return fault
