"""ClickHouse's HTTP interface on the loopback, over what stands in for it, or over the engine itself.

The stand-in knows the statements of logs_clickhouse alone, and answers them from SQLite; `make
clickhouse` runs the same tests over `chdb`, which is ClickHouse in this process, and compares the two.
"""

import json
import re
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from queue import Queue
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

PASSWORD = "secret"
PARAMETER = re.compile(r"\{(\w+):([^{}]+)\}")
COLUMNS = (
    "ts",
    "id",
    "ts_text",
    "level",
    "source",
    "source_name",
    "target",
    "message",
    "fields",
    "size",
)
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}")
UNESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
Answer = tuple[int, str, bytes]  # status, code of the exception, text


class Engine(Protocol):
    def ask(self, sql: str, body: bytes, values: dict[str, str]) -> bytes:
        """Raises RuntimeError, with a text as ClickHouse has it."""
        ...

    def close(self) -> None: ...


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: UNESCAPED.get(m[1], m[1]), text, flags=re.DOTALL)


def has(array: str, value: str) -> bool:
    return value in re.findall(r"'((?:[^'\\]|\\.)*)'", array)


def now64(_precision: int) -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


class StandIn:
    """What the statements mean, in SQLite."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        self.db.create_function("has", 2, has)
        self.db.create_function("now64", 1, now64)
        self.db.create_function("toString", 1, lambda value: value)
        self.db.create_function("match", 2, lambda text, p: re.search(p, text) is not None)

    def ask(self, sql: str, body: bytes, values: dict[str, str]) -> bytes:
        try:
            return self._ask(sql, body, values)
        except sqlite3.OperationalError as problem:
            code, name = (
                (60, "UNKNOWN_TABLE") if "no such table" in str(problem) else (62, "SYNTAX_ERROR")
            )
            raise RuntimeError(f"Code: {code}. DB::Exception: {problem}. ({name})") from None

    def _ask(self, sql: str, body: bytes, values: dict[str, str]) -> bytes:
        made = re.match(r"CREATE TABLE IF NOT EXISTS (\w+)", sql)
        if made is not None:
            columns = ", ".join(COLUMNS)
            self.db.execute(
                f"CREATE TABLE IF NOT EXISTS {made[1]} ({columns}, inserted_at, PRIMARY KEY (ts, id))"
            )
            return b""
        into = re.match(r"INSERT INTO (\w+) FORMAT JSONEachRow", sql)
        if into is not None:
            rows = [self._row(line) for line in body.split(b"\n") if line]
            if len({row[0][:7] for row in rows}) > 100:
                text = "Too many partitions for single INSERT block (more than 100)"
                raise RuntimeError(f"Code: 252. DB::Exception: {text}. (TOO_MANY_PARTS)")
            marks = ", ".join("?" * len(COLUMNS))
            self.db.execute("BEGIN")
            try:
                self.db.executemany(f"REPLACE INTO {into[1]} VALUES ({marks}, now64(6))", rows)
            finally:
                self.db.execute("COMMIT")
            return b""
        binds = {
            name: int(values[name])
            if kind == "UInt64"
            else values[name]
            if kind.startswith("Array")
            else unescaped(values[name])
            for name, kind in PARAMETER.findall(sql)
        }
        plain = PARAMETER.sub(r":\1", sql).replace(" FINAL", "").removesuffix("FORMAT JSONEachRow")
        found = self.db.execute(plain, binds).fetchall()
        return b"".join(json.dumps(dict(row)).encode() + b"\n" for row in found)

    def close(self) -> None:
        self.db.close()

    @staticmethod
    def _row(line: bytes) -> list[Any]:
        row = json.loads(line)
        if TIME.fullmatch(row["ts"]) is None:
            raise RuntimeError("Code: 41. DB::Exception: no time. (CANNOT_PARSE_DATETIME)")
        return [row.get(name) for name in COLUMNS]


class Real:
    """The engine; a process has one, in one folder."""

    def __init__(self) -> None:
        session: Any = import_module("chdb.session")  # of `make clickhouse` alone
        self._session = session.Session(tempfile.mkdtemp(prefix="chdb"))

    def ask(self, sql: str, body: bytes, values: dict[str, str]) -> bytes:
        whole = f"{sql}\n{body.decode()}" if body else sql
        found: bytes = self._session.query(whole, "JSONEachRow", params=values).bytes()
        return found

    def close(self) -> None:
        """Kept for the next one: a process has one, in one folder."""


@cache
def real() -> Real:
    return Real()


class Endpoint:
    """One that a test can switch off.

    Attributes:
        url: Its address.
        answers: What the next requests are answered, instead.
        asked: The statements.
        is_down: Hang up on everybody.
    """

    def __init__(self, engine: Engine) -> None:
        self.url = ""
        self.engine = engine
        self.answers: Queue[Answer] = Queue()
        self.asked: list[str] = []
        self.is_down = False
        self.rows: list[int] = []
        self.lock = threading.Lock()

    def answer(
        self, given: dict[str, str], body: bytes, user: str | None, key: str | None
    ) -> Answer:
        sql = given["query"]
        self.asked.append(sql)
        if not self.answers.empty():
            return self.answers.get()
        if (user, key) != ("animus", PASSWORD):
            return 403, "516", b"Code: 516. DB::Exception: animus: Authentication failed"
        values = {n.removeprefix("param_"): v for n, v in given.items() if n.startswith("param_")}
        try:
            with self.lock:
                found = self.engine.ask(sql, body, values)
        except RuntimeError as problem:
            code = re.search(r"Code: (\d+)", str(problem))
            number = code[1] if code else "1000"
            return {"60": 404, "62": 400}.get(number, 500), number, str(problem).encode()
        if sql.startswith("INSERT"):
            self.rows.append(body.count(b"\n"))
        return 200, "", found


@contextmanager
def clickhouse(engine: Engine, port: int = 0) -> Iterator[Endpoint]:
    found = Endpoint(engine)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            if found.is_down:
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
            own = (self.headers["x-clickhouse-user"], self.headers["x-clickhouse-key"])
            status, code, text = found.answer(given, body, *own)
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            if code and status != 200:
                self.send_header("x-clickhouse-exception-code", code)
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", port), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(20)
    with found.lock:
        engine.close()
