"""Linear on the loopback: its GraphQL API as far as `linear.graphql` goes, for tests.

Each request is parsed, validated and executed against that SDL, so that a field, an argument or an
input that Linear does not have is refused as there, and no answer has a shape that it does not have.
What a correct client never sends is kept in `violations`. Limits, headers and refusals are those of
Linear's documentation: errors with status 200, limits as 400, keys without "Bearer", a query's points.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from graphql import GraphQLError, build_schema, execute_sync, parse, validate
from linear_filters import matches
from linear_points import MOST_POINTS, points
from tracker_faults import Fault, upstream

SCHEMA: Final = build_schema(Path(__file__).with_name("linear.graphql").read_text("utf-8"))
TOKEN: Final = "lin_api_0123456789abcdefghij"
STATES: Final = (
    ("Backlog", "backlog"),
    ("Todo", "unstarted"),
    ("In Review", "started"),
    ("In Progress", "started"),
    ("Done", "completed"),
    ("Canceled", "canceled"),
    ("Triage", "triage"),
)
# Where a state stands on its team's board; not in the order in which they are listed.
POSITIONS: Final = {"Backlog": 1, "Todo": 0, "In Review": 1002, "In Progress": 2, "Triage": 5}

Row = dict[str, Any]


class RefusalError(GraphQLError):
    """An error with the extensions of Linear's."""

    def __init__(self, message: str, code: str, kind: str, status: int) -> None:
        super().__init__(
            message,
            extensions={
                "code": code,
                "type": kind,
                "statusCode": status,
                "userError": True,
                "userPresentableMessage": message,
            },
        )


def not_found(what: str) -> RefusalError:
    return RefusalError(f"Entity not found: {what}", "INPUT_ERROR", "invalid input", 400)


def bad_input(message: str) -> RefusalError:
    return RefusalError(message, "INPUT_ERROR", "invalid input", 400)


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Linear:
    """A workspace, and what was asked of it.

    Attributes:
        asked: The documents' operations, in order.
        inputs: The inputs of mutations, in order.
        violations: What no correct client sends.
        faults: What happens to the next requests instead of an answer.
        unauthorized: What was sent with a token that is none.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.now = datetime.now(UTC) - timedelta(days=1)
        self.asked: list[str] = []
        self.inputs: list[Row] = []
        self.violations: list[str] = []
        self.faults: deque[Fault] = deque()
        self.unauthorized = 0
        self.page_read: Callable[[], None] = lambda: None
        self.teams: list[Row] = []
        self.states: list[Row] = []
        self.labels: list[Row] = []
        self.users: list[Row] = []
        self.issues: list[Row] = []
        self.url = ""

    # ---- what there is --------------------------------------------------------------------------

    def team(self, key: str) -> Row:
        team = {"id": str(uuid4()), "key": key, "name": key.title(), "count": 0}
        self.teams.append(team)
        for name, kind in STATES:
            position = POSITIONS.get(name, 3000 + len(self.states))
            fields = {"name": name, "type": kind, "position": position, "color": "#bec2c8"}
            self.states.append({"id": str(uuid4()), "team": team, **fields})
        return team

    def state(self, team: Row, name: str) -> Row:
        return next(s for s in self.states if s["team"] is team and s["name"] == name)

    def user(self, name: str, email: str) -> Row:
        fields = {"name": name, "displayName": name.split()[0].lower(), "email": email}
        user = {"id": str(uuid4()), "active": True, **fields}
        self.users.append(user)
        return user

    def label(self, name: str, team: Row | None = None, *, group: bool = False) -> Row:
        label = {"id": str(uuid4()), "name": name, "team": team, "isGroup": group}
        self.labels.append(label)
        return label

    def issue(self, team: Row, title: str, **fields: Any) -> Row:
        with self.lock:
            team["count"] += 1
            number = team["count"]
            made = self.tick()
            state = fields.pop("state", None) or self.state(team, "Todo")
            issue: Row = {
                "id": str(uuid4()),
                "team": team,
                "number": number,
                "identifier": f"{team['key']}-{number}",
                "title": title,
                "state": state,
                "priority": 0,
                "labels": [],
                "attachments": [],
                "comments": [],
                "createdAt": made,
                "updatedAt": made,
                "url": f"https://linear.app/acme/issue/{team['key']}-{number}",
                "branchName": f"ada/{team['key'].lower()}-{number}",
                "previous": [],
                **fields,
            }
            self.issues.append(issue)
            return issue

    def tick(self) -> str:
        """Every change has a moment of its own."""
        self.now = max(self.now + timedelta(milliseconds=1), datetime.now(UTC))
        return stamp(self.now)

    def change(self, issue: Row, **fields: Any) -> None:
        with self.lock:
            issue.update(fields, updatedAt=self.tick())

    def find(self, name: str) -> Row:
        for issue in self.issues:
            if name in {issue["id"], issue["identifier"], *issue["previous"]}:
                return issue
        raise not_found("Issue")

    # ---- what is shown of it --------------------------------------------------------------------

    def shown(self, issue: Row) -> Row:
        children = [i for i in self.listed() if i.get("parent") is issue]
        parent = issue.get("parent")
        return {
            **issue,
            "parent": partial(self._shown, parent) if parent else None,
            "labels": connection(issue["labels"]),
            "attachments": connection(issue["attachments"]),
            "comments": connection(issue["comments"]),
            "children": connection(children, self.shown),
            "team": self._team(issue["team"]),
        }

    def _shown(self, issue: Row, _info: Any) -> Row:
        return self.shown(issue)

    def _team(self, team: Row) -> Row:
        return {**team, "states": connection([s for s in self.states if s["team"] is team])}

    def listed(self) -> list[Row]:
        return [issue for issue in self.issues if not issue.get("trashed")]

    # ---- the root of the schema; graphql-core calls these ---------------------------------------

    def viewer(self, _info: Any) -> Row:
        return {"id": "me", "name": "me", "email": "me@acme.test", "active": True}

    def issues_(self, _info: Any, **asked: Any) -> Row:
        """Newest first; a cursor is an issue's id, which holds when the issue is gone."""
        order = "updatedAt" if asked.get("orderBy") == "updatedAt" else "createdAt"
        key: Callable[[Row], Any] = lambda issue: (issue[order], issue["number"])  # noqa: E731
        found = sorted(self.listed(), key=key, reverse=True)
        wanted = asked.get("filter") or {}
        found = [issue for issue in found if matches(wanted, issue)]
        if after := asked.get("after"):
            last = key(self.find(after))
            found = [issue for issue in found if key(issue) < last]
        size = asked.get("last") or asked.get("first") or 50
        page = found[-size:] if asked.get("last") else found[:size]
        self.page_read()
        return {
            "nodes": [self.shown(issue) for issue in page],
            "pageInfo": {
                "hasNextPage": not asked.get("last") and len(found) > size,
                "endCursor": page[-1]["id"] if page else None,
            },
        }

    def issue_(self, _info: Any, id: str) -> Row:
        return self.shown(self.find(id))

    def rows(self, kind: str) -> Callable[..., Row]:
        def found(_info: Any, **asked: Any) -> Row:
            rows = getattr(self, kind)
            wanted = asked.pop("filter", None) or {}
            rows = [row for row in rows if matches(wanted, row)]
            show = self._team if kind == "teams" else dict
            return connection(rows, show)(None, **asked)

        return found

    def issueCreate(self, _info: Any, input: Row) -> Row:  # noqa: N802 - Linear's name
        if any(issue["id"] == input.get("id") for issue in self.issues):
            raise bad_input("Entity with that id already exists")
        team = next((t for t in self.teams if t["id"] == input["teamId"]), None)
        if team is None:
            raise not_found("Team")
        if not input.get("title"):
            raise bad_input("title should not be empty")
        issue = self.issue(team, input["title"])
        if "id" in input:
            issue["id"] = input["id"]
        given = {name: value for name, value in input.items() if name not in {"id", "teamId"}}
        try:
            self._apply(issue, given)
        except RefusalError:
            self.issues.remove(issue)
            team["count"] -= 1
            raise
        return {"success": True, "issue": self.shown(issue)}

    def issueUpdate(self, _info: Any, id: str, input: Row) -> Row:  # noqa: N802
        issue = self.find(id)
        self._apply(issue, input)
        issue["updatedAt"] = self.tick()
        return {"success": True, "issue": self.shown(issue)}

    def _apply(self, issue: Row, given: Row) -> None:
        changed = dict(issue)
        for name, value in given.items():
            if name in {"title", "description", "priority", "estimate", "dueDate"}:
                changed[name] = value or None if name == "description" else value
            elif name == "stateId":
                own = [s for s in self.states if s["team"] is issue["team"]]
                changed["state"] = by_id(own, value, "WorkflowState")
            elif name == "assigneeId":
                changed["assignee"] = value and by_id(self.users, value, "User")
            elif name == "parentId":
                changed["parent"] = value and self.find(value)
            elif name == "labelIds":
                changed["labels"] = [by_id(self.labels, one, "IssueLabel") for one in value]
            elif name == "addedLabelIds":
                added = [by_id(self.labels, one, "IssueLabel") for one in value]
                labels = changed["labels"]
                changed["labels"] = [*labels, *(one for one in added if one not in labels)]
            elif name == "removedLabelIds":
                gone = [by_id(self.labels, one, "IssueLabel") for one in value]
                if strangers := [one for one in gone if one not in changed["labels"]]:
                    raise bad_input(f"Label {strangers[0]['name']} is not on the issue")
                changed["labels"] = [one for one in changed["labels"] if one not in gone]
        issue.update(changed)

    def issueDelete(self, _info: Any, id: str) -> Row:  # noqa: N802
        issue = self.find(id)
        if issue.get("trashed"):
            raise not_found("Issue")
        self.change(issue, trashed=True)
        return {"success": True, "entity": self.shown(issue)}

    def commentCreate(self, _info: Any, input: Row) -> Row:  # noqa: N802
        issue = self.find(input["issueId"])
        comment = {"id": str(uuid4()), "body": input["body"], "createdAt": self.tick()}
        issue["comments"].append({**comment, "user": {"id": "me", "name": "me"}})
        issue["updatedAt"] = self.tick()
        return {"success": True, "comment": comment}

    def issueLabelCreate(self, _info: Any, input: Row) -> Row:  # noqa: N802
        team = next((t for t in self.teams if t["id"] == input.get("teamId")), None)
        name = input["name"]
        if any(
            one["name"].lower() == name.lower() and one["team"] in (team, None)
            for one in self.labels
        ):
            raise bad_input("duplicate label name")
        label = self.label(name, team)
        return {"success": True, "issueLabel": label}

    # ---- a request ------------------------------------------------------------------------------

    def answer(self, body: Row) -> tuple[int, Row]:
        """The status and the body of an answer."""
        with self.lock:
            return self._answer(body)

    def _answer(self, body: Row) -> tuple[int, Row]:
        try:
            document = parse(body["query"])
        except GraphQLError as error:
            return self._violated([error.message])
        if errors := validate(SCHEMA, document):
            return self._violated([error.message for error in errors])
        variables = body.get("variables") or {}
        if (cost := points(SCHEMA, document, variables)) > MOST_POINTS:
            return self._violated([f"Query too complex: {cost} points"])
        self.asked.append(body.get("operationName") or "")
        if "input" in variables:
            self.inputs.append(variables["input"])
        done = execute_sync(
            SCHEMA,
            document,
            self._root(),
            variable_values=variables,
            operation_name=body.get("operationName"),
        )
        failures = done.errors or []
        originals = [one.original_error for one in failures]
        if any(not isinstance(one, RefusalError) for one in originals):
            return self._violated([one.message for one in failures])
        told: Row = {"data": done.data}
        if failures:
            told["errors"] = [
                {**one.formatted, "extensions": getattr(original, "extensions", {})}
                for one, original in zip(failures, originals, strict=True)
            ]
        return 200, told

    def _violated(self, messages: list[str]) -> tuple[int, Row]:
        self.violations += messages
        extensions = {
            "code": "GRAPHQL_VALIDATION_FAILED",
            "type": "graphql error",
            "statusCode": 400,
        }
        return 400, {"errors": [{"message": m, "extensions": extensions} for m in messages]}

    def _root(self) -> Row:
        own = ("viewer", "issueCreate", "issueUpdate", "issueDelete", "commentCreate")
        kinds = {
            "teams": "teams",
            "users": "users",
            "issueLabels": "labels",
            "workflowStates": "states",
        }
        return {
            "issues": self.issues_,
            "issue": self.issue_,
            "issueLabelCreate": self.issueLabelCreate,
            **{name: getattr(self, name) for name in own},
            **{name: self.rows(kind) for name, kind in kinds.items()},
        }


def by_id(rows: list[Row], given: str, kind: str) -> Row:
    found = next((row for row in rows if row["id"] == given), None)
    if found is None:
        raise not_found(kind)
    return found


def connection(rows: list[Row], show: Callable[[Row], Row] = dict) -> Callable[..., Row]:
    """A field with pages; without `first`, 50, as at Linear."""

    def page(_info: Any, first: int | None = None, after: str | None = None) -> Row:
        places = [number for number, row in enumerate(rows) if row["id"] == after]
        start = places[0] + 1 if places else 0
        size = 50 if first is None else first
        some = rows[start : start + size]
        return {
            "nodes": [show(row) for row in some],
            "pageInfo": {
                "hasNextPage": start + size < len(rows),
                "endCursor": some[-1]["id"] if some else None,
            },
        }

    return page


# ---- HTTP ---------------------------------------------------------------------------------------


def headers(remaining: int = 2400, reset_s: float = 60.0) -> dict[str, str]:
    """The headers of limits; resets are epoch milliseconds."""
    reset = str(int((time.time() + reset_s) * 1000))
    return {
        "X-RateLimit-Requests-Limit": "2500",
        "X-RateLimit-Requests-Remaining": str(remaining),
        "X-RateLimit-Requests-Reset": reset,
        "X-RateLimit-Complexity-Limit": "3000000",
        "X-RateLimit-Complexity-Remaining": "2990000",
        "X-RateLimit-Complexity-Reset": str(int((time.time() + reset_s / 2) * 1000)),
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    linear: Linear

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        linear = self.linear
        if self.headers["authorization"] != TOKEN:
            linear.unauthorized += 1
            extensions = {"code": "AUTHENTICATION_ERROR", "type": "authentication error"}
            error = {
                "message": "Authentication required, not authenticated",
                "extensions": extensions,
            }
            self.send(401, {"errors": [error]})
            return
        if linear.faults and linear.faults.popleft()(self):
            return
        self.send(*linear.answer(self.body))

    def send(self, status: int, body: Any, more: dict[str, str] | None = None) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers(), **(more or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def linear() -> Iterator[Linear]:
    """Served on the loopback until the end."""
    workspace = Linear()
    with upstream(type("Handler", (Handler,), {"linear": workspace})) as url:
        workspace.url = f"{url}/graphql"
        yield workspace
