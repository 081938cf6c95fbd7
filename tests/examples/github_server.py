"""GitHub on the loopback: its issues, as its own description has every request and every answer.

What it does beyond the description is what its documents say: pull requests in lists, labels that PATCH
replaces, times of whole seconds, a reason that counts only where the state changes, conditions, limits.
"""

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from github_description import description

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
PATIENCE_S = 20.0
SITE = "https://github.example"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
Json = dict[str, Any]


class Asked(NamedTuple):
    method: str
    target: str
    status: int
    body: Any


class Answer(NamedTuple):
    status: int
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    raw: Callable[[socket.socket], object] | None = None


def error(status: int, message: str, **more: Any) -> Answer:
    body = {"message": message, "documentation_url": f"{SITE}/docs", "status": str(status), **more}
    headers = body.pop("headers", {})
    return Answer(status, body, headers)


def user(login: str) -> Json:
    number = int(sha256(login.encode()).hexdigest()[:6], 16)
    urls = ["avatar", "events", "followers", "following", "gists", "html", "organizations"]
    urls += ["received_events", "repos", "starred", "subscriptions"]
    return {
        "login": login,
        "id": number,
        "node_id": f"U_{number}",
        "gravatar_id": "",
        "type": "User",
        "site_admin": False,
        **{f"{name}_url": f"{SITE}/{login}/{name}" for name in urls},
        "url": f"{SITE}/{login}",
    }


def label(name: str) -> Json:
    number = int(sha256(name.encode()).hexdigest()[:6], 16)
    more = {"color": "ededed", "default": False, "description": None}
    return {"id": number, "node_id": f"L_{number}", "url": f"{SITE}/labels/x", "name": name, **more}


class GitHub:
    """The repositories `o/r` and `o/two`, and what was asked of them.

    `counted` is for page numbers in place of cursors, `between` runs before each list, `respond` may
    answer in its place: with an Answer, or by writing to the socket itself.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.lock = threading.RLock()
        self.repos: dict[str, dict[int, Json]] = {"o/r": {}, "o/two": {}}
        self.people = {"ada", "kim"}
        self.asked: list[Asked] = []
        self.problems: list[str] = []
        self.moved: dict[tuple[str, int], str] = {}
        self.renamed: dict[str, str] = {}
        self.counted = False
        self.may_push = True
        self.left = 5000
        self.seconds = 0
        self.between: Callable[[], object] = lambda: None
        self.respond: Callable[[str, str, Any], Answer | None] = lambda *_: None

    # The tests' side ------------------------------------------------------------------------------

    def add(self, repo: str = "o/r", *, same_second: bool = False, **fields: Any) -> Json:
        with self.lock:
            self.seconds += not same_second
            number = max(self.repos[repo], default=0) + 1
            place = f"{self.url}/repos/{repo}/issues/{number}"
            issue = {
                "id": (10**9 if repo == "o/two" else 0) + number + 10**6,
                "node_id": f"I_{number}",
                "number": number,
                "title": f"Issue {number}",
                "state": "open",
                "state_reason": None,
                "body": None,
                "locked": False,
                "comments": 0,
                "labels": [],
                "assignee": None,
                "assignees": [],
                "milestone": None,
                "user": user("ada"),
                "author_association": "OWNER",
                "created_at": self.now,
                "updated_at": self.now,
                "closed_at": None,
                "url": place,
                "repository_url": f"{self.url}/repos/{repo}",
                "html_url": f"{SITE}/{repo}/issues/{number}",
                **{f"{name}_url": f"{place}/{name}" for name in ("comments", "events")},
                "labels_url": f"{place}/labels{{/name}}",
                **fields,
            }
            issue["labels"] = [label(name) for name in fields.get("labels", ())]
            issue["assignees"] = [user(login) for login in fields.get("assignees", ())]
            self.repos[repo][number] = issue
            return issue

    def change(
        self, number: int, repo: str = "o/r", *, same_second: bool = False, **fields: Any
    ) -> None:
        """Somebody else changes an issue."""
        with self.lock:
            self.seconds += not same_second
            issue = self.repos[repo][number]
            if "labels" in fields:
                fields["labels"] = [label(name) for name in fields["labels"]]
            if fields.get("state") == "closed":
                fields.setdefault("state_reason", "completed")
                fields["closed_at"] = self.now
            issue.update(fields, updated_at=self.now)
            issue["assignee"] = next(iter(issue["assignees"]), None)

    def close(self, number: int, repo: str = "o/r") -> None:
        self.change(number, repo, state="closed")

    def names(self, number: int, repo: str = "o/r") -> list[str]:
        return [one["name"] for one in self.repos[repo][number]["labels"]]

    def told(self, method: str, part: str = "") -> list[Asked]:
        with self.lock:
            return [one for one in self.asked if one.method == method and part in one.target]

    @property
    def now(self) -> str:
        return f"{BEGIN + timedelta(seconds=self.seconds):%Y-%m-%dT%H:%M:%SZ}"

    # GitHub's side --------------------------------------------------------------------------------

    def answer(self, method: str, target: str, body: Any) -> Answer:
        found = self.respond(method, target, body)
        if found is not None:
            return found
        parts = [unquote(part) for part in urlsplit(target).path.strip("/").split("/")]
        query = dict(parse_qsl(urlsplit(target).query))
        if parts == ["rate_limit"]:
            return Answer(200, self.limits())
        repo, what = "/".join(parts[1:3]), parts[3]
        if repo not in self.repos:
            return self.elsewhere(method, target, repo)
        if what == "assignees":
            return Answer(204) if parts[4] in self.people else error(404, "Not Found")
        if len(parts) == 4:
            return self.listed(repo, query) if method == "GET" else self.create(repo, body)
        return self.of_one(method, repo, int(parts[4]), parts[5:], body)

    def elsewhere(self, method: str, target: str, repo: str) -> Answer:
        if repo not in self.renamed:
            return error(404, "Not Found")
        place = f"{self.url}{target.replace(repo, self.renamed[repo], 1)}"
        status = 301 if method == "GET" else 307
        return error(status, "Moved", headers={"location": place})

    def of_one(self, method: str, repo: str, number: int, rest: list[str], body: Any) -> Answer:
        if (repo, number) in self.moved:
            return Answer(301, error(301, "Moved").body, {"location": self.moved[repo, number]})
        issue = self.repos[repo].get(number)
        if issue is None:
            return error(404, "Not Found")
        act: Callable[..., Answer] = getattr(self, "_".join([method.lower(), *rest[:1]]))
        return act(issue, *([body] if body is not None else []), *rest[1:])

    def limits(self) -> Json:
        one = {"limit": 5000, "used": 5000 - self.left, "remaining": self.left, "reset": 1800000000}
        return {"resources": {"core": one, "search": one}, "rate": one}

    def listed(self, repo: str, query: dict[str, str]) -> Answer:
        self.between()
        wanted = set(query.get("labels", "").lower().split(",")) - {""}
        sort = f"{query.get('sort', 'created')}_at"
        found = [
            issue
            for issue in self.repos[repo].values()
            if query.get("state", "open") in {"all", issue["state"]}
            and wanted <= {one["name"].lower() for one in issue["labels"]}
            and query.get("assignee") in {None, *(one["login"] for one in issue["assignees"])}
            and issue["updated_at"] >= query.get("since", "")
        ]
        assert query["direction"] == "asc"
        found.sort(key=lambda issue: (issue[sort], -issue["id"]))  # of one second, as it likes
        size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
        here = f"{self.url}/repos/{repo}/issues"
        if self.counted:
            page = found[(number - 1) * size : number * size]
            places = {"next": number + 1 if len(found) > number * size else 0, "prev": number - 1}
            more = {rel: {**query, "page": str(n)} for rel, n in places.items() if n}
        else:
            after = json.loads(base64.b64decode(query["after"])) if "after" in query else ["", 0]
            ahead = [issue for issue in found if [issue[sort], -issue["id"]] > after]
            page = ahead[:size]
            last = [page[-1][sort], -page[-1]["id"]] if page else after
            cursor = base64.b64encode(json.dumps(last).encode()).decode()
            following = {**query, "after": cursor, "page": str(number + 1)}
            more = {"next": following} if len(ahead) > size else {}
        links = ", ".join(f'<{here}?{urlencode(q)}>; rel="{rel}"' for rel, q in more.items())
        return Answer(200, page, {"link": links} if links else {})

    def create(self, repo: str, body: Json) -> Answer:
        if not body["title"]:
            problem = {"resource": "Issue", "field": "title", "code": "missing_field"}
            return error(422, "Validation Failed", errors=[problem])
        if not self.may_push:
            body = {name: body[name] for name in ("title", "body") if name in body}
        return Answer(201, self.add(repo, **{k: v for k, v in body.items() if k != "milestone"}))

    def get(self, issue: Json) -> Answer:
        return Answer(200, issue)

    def patch(self, issue: Json, body: Json) -> Answer:
        body = dict(body)
        state = body.get("state", issue["state"])
        reason = body.pop("state_reason", "completed" if state == "closed" else "reopened")
        if state != issue["state"]:
            body |= {"state_reason": reason, "closed_at": self.now if state == "closed" else None}
        number = body.pop("milestone", None)
        repo = issue["repository_url"].partition("/repos/")[2]
        self.change(issue["number"], repo, **body)
        return Answer(200, issue) if number is None else error(422, "Validation Failed")

    def post_labels(self, issue: Json, body: Json) -> Answer:
        known = {one["name"].lower() for one in issue["labels"]}
        new = [label(name) for name in body["labels"] if name.lower() not in known]
        return self._touched(issue, labels=[*issue["labels"], *new])

    def delete_labels(self, issue: Json, name: str) -> Answer:
        kept = [one for one in issue["labels"] if one["name"].lower() != name.lower()]
        if len(kept) == len(issue["labels"]):
            return error(404, "Label does not exist")
        return self._touched(issue, labels=kept)

    def _touched(self, issue: Json, **fields: Any) -> Answer:
        self.seconds += 1
        issue.update(fields, updated_at=self.now)
        issue["assignee"] = next(iter(issue["assignees"]), None)
        return Answer(200, issue["labels"] if "labels" in fields else issue)

    def post_assignees(self, issue: Json, body: Json) -> Answer:
        known = {one["login"] for one in issue["assignees"]}
        new = [user(one) for one in body["assignees"] if one in self.people - known]
        return self._touched(issue, assignees=[*issue["assignees"], *new])._replace(status=201)

    def delete_assignees(self, issue: Json, body: Json) -> Answer:
        kept = [one for one in issue["assignees"] if one["login"] not in body["assignees"]]
        return self._touched(issue, assignees=kept)

    def post_comments(self, issue: Json, body: Json) -> Answer:
        self._touched(issue, comments=issue["comments"] + 1)
        number, at = issue["comments"], {"created_at": self.now, "updated_at": self.now}
        urls = dict.fromkeys(("url", "html_url", "issue_url"), f"{issue['url']}/comments")
        more = {"id": number, "node_id": f"C_{number}", "body": body["body"], "user": user("ada")}
        return Answer(201, {**more, **urls, **at, "author_association": "OWNER"})

    def get_sub_issues(self, issue: Json) -> Answer:
        every = [one for repo in self.repos.values() for one in repo.values()]
        return Answer(200, [one for one in every if one.get("parent_issue_url") == issue["url"]])

    def post_sub_issues(self, issue: Json, body: Json) -> Answer:
        every = [one for repo in self.repos.values() for one in repo.values()]
        child = next(one for one in every if one["id"] == body["sub_issue_id"])
        child["parent_issue_url"] = issue["url"]
        total = len(self.get_sub_issues(issue).body)
        summary = {"total": total, "completed": 0, "percent_completed": 0}
        return Answer(201, self._touched(issue, sub_issues_summary=summary).body)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        github, headers = self.server.github, self.headers
        length = int(headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        with github.lock:
            found = self._checked(body)
            text = b"" if found.body is None else json.dumps(found.body).encode()
            fields = {
                "date": format_datetime(BEGIN + timedelta(seconds=github.seconds), usegmt=True)
            }
            if self.command == "GET" and found.status == 200:
                digest = sha256(text + found.headers.get("link", "").encode()).hexdigest()
                fields["etag"] = f'W/"{digest}"'
                if headers.get("if-none-match") == fields["etag"]:
                    found, text = found._replace(status=304), b""
            github.left -= found.status != 304 and self.path != "/rate_limit"
            fields |= {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": str(github.left)}
            fields |= {"x-ratelimit-reset": "1800000000", "x-ratelimit-resource": "core"}
            github.asked.append(Asked(self.command, self.path, found.status, body))
        if found.raw is not None:
            self.close_connection = True
            found.raw(self.connection)
            return
        self.send_response(found.status)
        if found.status not in {204, 304}:
            fields |= {"content-type": "application/json", "content-length": str(len(text))}
        for name, value in {**fields, **found.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _checked(self, body: Any) -> Answer:
        """The answer, once the request is what GitHub describes, and if the answer is."""
        github, known = self.server.github, description()
        if "user-agent" not in self.headers:
            return error(403, "Request forbidden by administrative rules")
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(401, "Bad credentials")
        operation = known.operation(self.command, self.path)
        if operation is None:
            github.problems.append(f"{self.command} {self.path}: GitHub has no such thing")
            return error(404, "Not Found")
        github.problems += known.request_problems(operation, self.path, body)
        found = github.answer(self.command, self.path, body)
        if found.raw is None:
            github.problems += known.answer_problems(operation, found.status, found.body)
        return found

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    github: GitHub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or a test that breaks the connection."""


@contextmanager
def github() -> Iterator[GitHub]:
    """GitHub while the block runs; at its end, everything was as GitHub describes it."""
    server = Server(("127.0.0.1", 0), Handler)
    server.github = found = GitHub(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join(PATIENCE_S)
        server.server_close()
    assert found.problems == []
