"""Jira Cloud on the loopback: the requests that `issues_jira.py` makes, for tests.

Jira publishes no schema in a package, so this follows its documentation by hand, and strictly: an
unknown path, parameter or field is refused and kept in `violations`, a search gives ids unless it names
fields, tells no total and ends without a token, is late by default for what was just written, a status
changes by a transition alone, a field stands in `fields` or in `update`, and labels have no spaces.
"""

import base64
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from jira_documents import problem_of
from jira_jql import Jql, JqlError
from tracker_faults import Fault, upstream

EMAIL, TOKEN = "ada@acme.test", "ATATT3xFfGF0-0123456789"
SITE_ZONE: Final = timezone(timedelta(hours=-5))  # times are shown in the user's
CATEGORIES: Final = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}
# name -> category, and where one gets from there.
WORKFLOW: Final = {
    "To Do": ("new", ["In Progress", "Blocked", "Done"]),
    "Selected": ("new", ["In Progress"]),
    "In Progress": ("indeterminate", ["To Do", "In Review", "Blocked", "Done"]),
    "In Review": ("indeterminate", ["In Progress", "Done"]),
    "Blocked": ("indeterminate", ["In Progress"]),
    "Done": ("done", ["To Do", "In Progress"]),
    "Archived": ("done", []),
}
IDS: Final = {name: str(10000 + number) for number, name in enumerate(WORKFLOW)}
PRIORITIES: Final = ("Highest", "High", "Medium", "Low", "Lowest")
RESOLUTIONS: Final = ("Done", "Won't Do", "Duplicate")
WRITABLE: Final = frozenset(
    {
        *("project", "issuetype", "summary", "description", "labels", "priority"),
        *("assignee", "parent", "duedate"),
    }
)
READABLE: Final = WRITABLE | {
    *("status", "reporter", "subtasks", "created", "updated", "resolution", "resolutiondate")
}

Row = dict[str, Any]


class RefusalError(Exception):
    """An answer that is an error, in Jira's form."""

    def __init__(self, status: int, *messages: str, **errors: str) -> None:
        super().__init__(messages, errors)
        self.status = status
        self.body = {"errorMessages": [*messages], "errors": errors}


def stamp(moment: float) -> str:
    """Milliseconds, and an offset without a colon."""
    shown = datetime.fromtimestamp(moment, UTC).astimezone(SITE_ZONE)
    return f"{shown:%Y-%m-%dT%H:%M:%S}.{shown.microsecond // 1000:03}{shown:%z}"


def status_of(name: str) -> Row:
    key = WORKFLOW[name][0]
    return {
        "id": IDS[name],
        "name": name,
        "statusCategory": {"id": [*CATEGORIES].index(key) + 2, "key": key, "name": CATEGORIES[key]},
    }


class Jira:
    """A site with one or more projects, and what was asked of it.

    Attributes:
        asked: Method and path of each request, in order.
        bodies: What came with requests that have a body, in order.
        violations: What no correct client sends.
        faults: What happens to the next requests instead of an answer.
        lag: Does a search know only what `index` has been called after?
        anonymous: Is nobody recognized? Then searches find nothing, and do not say why.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.last = time.time() - 86400
        self.asked: list[str] = []
        self.bodies: list[Row] = []
        self.violations: list[str] = []
        self.faults: deque[Fault] = deque()
        self.unauthorized = 0
        self.lag = self.anonymous = self.needs_resolution = False
        self.page_read: Callable[[], None] = lambda: None
        self.projects: dict[str, int] = {}
        self.users: list[Row] = []
        self.issues: dict[str, Row] = {}
        self.moved: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        self.comments: list[tuple[str, Row]] = []
        self.indexed: dict[str, Row] = {}
        self.tokens: dict[str, tuple[str, Any]] = {}
        self.url = ""

    # ---- what there is --------------------------------------------------------------------------

    def user(self, name: str, email: str | None = None) -> Row:
        user = {"accountId": f"5b10a2844c20165700ede{len(self.users):03}", "displayName": name}
        self.users.append(user | ({"emailAddress": email} if email else {}))
        return self.users[-1]

    def tick(self) -> str:
        """Every change has a moment of its own."""
        self.last = max(self.last + 0.001, time.time())
        return stamp(self.last)

    def issue(self, project: str, summary: str, *, status: str = "To Do", **fields: Any) -> Row:
        with self.lock:
            self.projects[project] = number = self.projects.get(project, 0) + 1
            made = self.tick()
            issue: Row = {
                "id": str(20000 + len(self.issues)),
                "key": f"{project}-{number}",
                "fields": {
                    "project": {"key": project},
                    "issuetype": {"id": "10001", "name": "Task"},
                    "summary": summary,
                    "description": None,
                    "status": status_of(status),
                    "priority": {"id": "3", "name": "Medium"},
                    "assignee": None,
                    "labels": [],
                    "subtasks": [],
                    "created": made,
                    "updated": made,
                    "resolution": None,
                    "duedate": None,
                    **fields,
                },
            }
            self.issues[issue["key"]] = issue
            if not self.lag:
                self.index()
            return issue

    def change(self, key: str, **fields: Any) -> None:
        with self.lock:
            issue = self.issues[key]
            issue["fields"] = {**issue["fields"], **fields, "updated": self.tick()}
            if not self.lag:
                self.index(key)

    def move(self, key: str, project: str) -> str:
        """To another project: it has a new key, and is found under the old one, too."""
        with self.lock:
            self.projects[project] = number = self.projects.get(project, 0) + 1
            issue = self.issues.pop(key)
            issue["key"] = new = f"{project}-{number}"
            self.issues[new] = issue
            self.moved[key] = new
            self.change(new, project={"key": project})
            self.index()
            return new

    def index(self, *keys: str) -> None:
        """Have searches know what there is now."""
        if keys:
            self.indexed |= {self.issues[key]["id"]: dict(self.issues[key]) for key in keys}
        else:
            self.indexed = {issue["id"]: dict(issue) for issue in self.issues.values()}

    def find(self, key: str) -> Row:
        key = self.moved.get(key, key)
        by_id = {issue["id"]: issue for issue in self.issues.values()} if key.isdecimal() else {}
        issue = self.issues.get(key.upper()) or by_id.get(key)
        if issue is None or self.anonymous:
            raise RefusalError(404, "Issue does not exist or you do not have permission to see it.")
        return issue

    def next_statuses(self, issue: Row) -> list[str]:
        return WORKFLOW[issue["fields"]["status"]["name"]][1]

    # ---- requests -------------------------------------------------------------------------------

    def myself(self) -> Row:
        if self.anonymous:
            raise RefusalError(401, "Client must be authenticated to access this resource.")
        return {"accountId": "me", "displayName": "Ada", "timeZone": "America/New_York"}

    def statuses(self, project: str) -> list[Row]:
        if project not in self.projects:
            raise RefusalError(404, f"No project could be found with key '{project}'.")
        known = [status_of(name) for name in WORKFLOW]
        return [
            {"id": "10001", "name": "Task", "statuses": known},
            {"id": "10002", "name": "Bug", "statuses": known[:3]},
        ]

    def project(self, key: str) -> Row:
        """By the key that it has or had."""
        key = self.renamed.get(key, key)
        if key not in self.projects:
            raise RefusalError(404, f"No project could be found with key '{key}'.")
        return {"id": "10000", "key": key, "name": key.title()}

    def assignable(self, project: str, query: str) -> list[Row]:
        if project not in self.projects:
            raise RefusalError(404, f"No project could be found with key '{project}'.")
        said = query.lower()
        return [
            user
            for user in self.users
            if said in user["displayName"].lower() or said in user.get("emailAddress", "").lower()
        ]

    def search(self, body: Row) -> Row:
        self.known(body, {"jql", "maxResults", "nextPageToken", "fields", "reconcileIssues"})
        if not isinstance(body.get("jql"), str) or len(body.get("reconcileIssues", ())) > 50:
            raise self.violated(400, "Invalid request payload.")
        size = body.get("maxResults", 50)
        found, token = self._found(body), body.get("nextPageToken")
        if token is not None:
            asked, last = self.tokens.get(token, ("", None))
            if asked != body["jql"]:
                raise self.violated(400, "nextPageToken: it is not of this search")
            found = [row for row in found if made(row) > last]
        page = found[:size]
        answer: Row = {"issues": [self.shown(row, body.get("fields", ["id"])) for row in page]}
        if size < len(found):
            answer["nextPageToken"] = uuid4().hex
            self.tokens[answer["nextPageToken"]] = (body["jql"], made(page[-1]))
        answer["isLast"] = "nextPageToken" not in answer
        self.page_read()
        return answer

    def _found(self, body: Row) -> list[Row]:
        now = {str(one) for one in body.get("reconcileIssues", ())}
        rows = {**self.indexed, **{i["id"]: i for i in self.issues.values() if i["id"] in now}}
        known = {
            "project": {one.lower() for one in self.projects},
            "key": {one.lower() for one in self.issues},
            "status": {one.lower() for pair in IDS.items() for one in pair},
            "statusCategory": {one.lower() for one in CATEGORIES.values()},
            "resolution": {one.lower() for one in RESOLUTIONS},
            "assignee": {user["accountId"].lower() for user in self.users},
            "priority": {one.lower() for one in PRIORITIES},
        }
        try:
            jql = Jql(body["jql"], known)
        except JqlError as problem:
            raise self.violated(400, str(problem)) from None
        found = jql.sorted([searched(row) for row in rows.values()])
        return [] if self.anonymous else [row["row"] for row in found]

    def shown(self, issue: Row, fields: list[str]) -> Row:
        if strange := set(fields) - READABLE - {"id"}:
            self.violations.append(f"fields: {strange}")
        told = {"id": issue["id"]}
        if fields != ["id"]:
            told["key"] = issue["key"]
            told["fields"] = {n: v for n, v in issue["fields"].items() if n in fields}
        return told

    def create(self, body: Row) -> Row:
        self.known(body, {"fields"})
        fields = dict(body["fields"])
        project = fields.get("project", {}).get("key")
        if project not in self.projects:
            raise RefusalError(400, project="valid project is required")
        if fields.get("issuetype", {}).get("name") not in {"Task", "Bug"}:
            raise RefusalError(400, issuetype="The issue type selected is invalid.")
        written = self.written(fields, {})
        issue = self.issue(project, written.pop("summary", ""))
        issue["fields"].update(written)
        if not self.lag:
            self.index(issue["key"])
        return {"id": issue["id"], "key": issue["key"], "self": f"{self.url}/rest/api/3/issue/1"}

    def edit(self, key: str, body: Row) -> None:
        self.known(body, {"fields", "update"})
        issue = self.find(key)
        fields, update = body.get("fields", {}), dict(body.get("update", {}))
        if both := fields.keys() & update.keys():
            raise self.violated(
                400, f"Field '{next(iter(both))}' cannot be in both 'fields' and 'update'."
            )
        comments = [one["add"]["body"] for one in update.pop("comment", ())]
        if said := next(filter(None, map(problem_of, comments)), ""):
            raise self.violated(400, said)
        written = self.written(fields, update, issue["fields"]["labels"])
        self.comments += [(issue["key"], comment) for comment in comments]
        self.change(issue["key"], **written)

    def written(self, fields: Row, update: Row, labels: list[str] | None = None) -> Row:
        """The fields as they are from now on."""
        if strange := (fields.keys() | update.keys()) - WRITABLE:
            names = dict.fromkeys(
                strange, "Field cannot be set. It is not on the appropriate screen."
            )
            self.violations.append(f"written: {strange}")
            raise RefusalError(400, **names)
        found = dict(fields)
        if "labels" in update:
            found["labels"] = list(labels or ())
            for change in update["labels"]:
                ((verb, label),) = change.items()
                found["labels"] = [one for one in found["labels"] if one != label]
                found["labels"] += [label] if verb == "add" else []
        if (document := found.get("description")) is not None and (said := problem_of(document)):
            raise self.violated(400, said)
        if wrong := self.wrong(found):
            raise RefusalError(400, **wrong)
        if (given := found.get("assignee")) is not None:
            found["assignee"] = self.person(given["accountId"])
        if (given := found.get("parent")) is not None:
            found["parent"] = {"key": self.find(given["key"])["key"]}
        return found

    def wrong(self, found: Row) -> dict[str, str]:
        """What Jira says of fields that it does not take, by name."""
        who, named = found.get("assignee"), found.get("priority")
        checks = {
            "labels": any(re.search(r"\s", label) for label in found.get("labels", ())),
            "summary": not found.get("summary", "x").strip(),
            "priority": named is not None and named["name"] not in PRIORITIES,
            "assignee": who is not None and self.person(who["accountId"]) is None,
        }
        return {name: f"The {name} is invalid." for name, is_wrong in checks.items() if is_wrong}

    def person(self, account: str) -> Row | None:
        return next((user for user in self.users if user["accountId"] == account), None)

    def transitions(self, key: str) -> Row:
        told: list[Row] = []
        for name in self.next_statuses(self.find(key)):
            needed = (
                {"resolution": {"required": True}}
                if self.needs_resolution and name == "Done"
                else {}
            )
            given = {"resolution": {"required": False}} if name == "Done" else {}
            # A transition's name says little; its id is of the workflow.
            told.append(
                {
                    "id": f"9{IDS[name]}",
                    "name": "Go on",
                    "to": status_of(name),
                    "fields": given | needed,
                }
            )
        return {"transitions": told}

    def transition(self, key: str, body: Row) -> None:
        self.known(body, {"transition", "fields"})
        issue = self.find(key)
        allowed = {f"9{IDS[name]}": name for name in self.next_statuses(issue)}
        name = allowed.get(body["transition"]["id"])
        if name is None:
            raise RefusalError(
                400, "It seems that you have tried to perform an illegal workflow operation."
            )
        resolution = body.get("fields", {}).get("resolution")
        if self.needs_resolution and name == "Done" and resolution is None:
            raise RefusalError(400, resolution="Please select a resolution.")
        if resolution is not None and resolution["name"] not in RESOLUTIONS:
            raise RefusalError(400, resolution="The resolution selected is invalid.")
        if WORKFLOW[name][0] == "done" and resolution is None:
            resolution = {"name": "Done"}
        kept = resolution if WORKFLOW[name][0] == "done" else None
        self.change(issue["key"], status=status_of(name), resolution=kept)

    def known(self, body: Row, names: set[str]) -> None:
        if strange := body.keys() - names:
            raise self.violated(400, f"Unrecognized field: {strange}")

    def violated(self, status: int, message: str) -> RefusalError:
        self.violations.append(message)
        return RefusalError(status, message)

    def answer(self, method: str, target: str, body: Row) -> tuple[int, Any]:
        with self.lock:
            where = urlsplit(target)
            query = {name: values[-1] for name, values in parse_qs(where.query).items()}
            path = where.path.removeprefix("/rest/api/3")
            self.asked.append(f"{method} {path}")
            if body:
                self.bodies.append(body)
            try:
                return self._routed(method, path, query, body)
            except RefusalError as refusal:
                return refusal.status, refusal.body

    def _routed(self, method: str, path: str, query: Row, body: Row) -> tuple[int, Any]:
        for verb, pattern, status, act in ROUTES:
            if verb == method and (found := re.fullmatch(pattern, path)):
                return status, act(self, *found.groups(), query, body)
        raise self.violated(404, f"no such resource: {method} {path}")


Act = Callable[..., Any]
# As in the documentation; a parameter that is missing is a KeyError, and so the test's failure.
ROUTES: Final[tuple[tuple[str, str, int, Act], ...]] = (
    ("GET", "/myself", 200, lambda jira, _q, _b: jira.myself()),
    ("POST", "/search/jql", 200, lambda jira, _q, body: jira.search(body)),
    ("GET", "/project/([^/]+)", 200, lambda jira, key, _q, _b: jira.project(key)),
    ("GET", "/project/([^/]+)/statuses", 200, lambda jira, key, _q, _b: jira.statuses(key)),
    (
        "GET",
        "/user/assignable/search",
        200,
        lambda jira, q, _b: jira.assignable(q["project"], q["query"]),
    ),
    (
        "GET",
        "/issue/([^/]+)",
        200,
        lambda jira, key, q, _b: jira.shown(jira.find(key), q["fields"].split(",")),
    ),
    ("POST", "/issue", 201, lambda jira, _q, body: jira.create(body)),
    ("PUT", "/issue/([^/]+)", 204, lambda jira, key, _q, body: jira.edit(key, body)),
    ("GET", "/issue/([^/]+)/transitions", 200, lambda jira, key, _q, _b: jira.transitions(key)),
    (
        "POST",
        "/issue/([^/]+)/transitions",
        204,
        lambda jira, key, _q, body: jira.transition(key, body),
    ),
)


def made(issue: Row) -> tuple[float, int]:
    """When it was created: what a token goes on after, whatever becomes of the issue there."""
    sort = searched(issue)["sort"]
    return sort["created"], sort["key"]


def searched(issue: Row) -> Row:
    """What a search finds an issue by."""
    fields = issue["fields"]
    status, resolution, assignee = fields["status"], fields["resolution"], fields["assignee"]
    created, updated = (
        datetime.fromisoformat(fields[n]).timestamp() for n in ("created", "updated")
    )
    project, _, number = issue["key"].partition("-")
    find = {
        "project": {project.lower()},
        "key": {issue["key"].lower()},
        "status": {status["id"], status["name"].lower()},
        "statusCategory": {status["statusCategory"]["name"].lower()},
        "resolution": {resolution["name"].lower()} if resolution else set(),
        "assignee": {assignee["accountId"].lower()} if assignee else set(),
        "priority": {fields["priority"]["name"].lower()} if fields["priority"] else set(),
        "labels": {label.lower() for label in fields["labels"]},
        "updated": updated,
        "created": created,
    }
    urgency = PRIORITIES.index(fields["priority"]["name"]) if fields["priority"] else 9
    sort = {"created": created, "updated": updated, "key": int(number), "priority": -urgency}
    return {"row": issue, "find": find, "sort": sort}


# ---- HTTP ---------------------------------------------------------------------------------------

BASIC: Final = "Basic " + base64.b64encode(f"{EMAIL}:{TOKEN}".encode()).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    jira: Jira

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        if self.jira.faults and self.jira.faults.popleft()(self):
            return
        if self.headers["authorization"] not in {BASIC, f"Bearer {TOKEN}"}:
            self.jira.unauthorized += 1
            self.send(401, b"Client must be authenticated to access this resource.")
            return
        self.send(*self.jira.answer(self.command, self.path, body))

    do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the library's names

    def send(self, status: int, body: Any, more: dict[str, str] | None = None) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        text = b"" if status == 204 else text
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def jira() -> Iterator[Jira]:
    """Served on the loopback until the end."""
    site = Jira()
    with upstream(type("Handler", (Handler,), {"jira": site})) as url:
        site.url = url
        yield site
