"""Linear's issues as subjects: `linear:ENG-123`.

Needs LINEAR_API_TOKEN: a personal key (`lin_api_...`) or an OAuth token. LINEAR_TEAM_ID, a team's key or
UUID, says whose issues are served and where new ones go; without it, all that the key sees are served.

What a team calls a state is the `native_status`. Its type decides which of the five words it is, unless
LINEAR_STATUS_MAP says otherwise: `{"Waiting": "blocked", "QA": {"status": "in-progress", "dispatch_label":
"code-review"}}`. Labels that do not exist are made. Changes are asked for; with LINEAR_WEBHOOK_SECRET and
LINEAR_WEBHOOK_PORT, Linear's webhook says when. A delete moves to the trash, for 30 days.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from threading import Lock
from time import time
from typing import Annotated, Any, Final, Generic, Literal, TypeVar, cast, get_args

from animus_routes import (
    UNSET,
    App,
    Context,
    Depends,
    Env,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RpcError,
    Unavailable,
)
from animus_routes.batteries.api import NETWORK, Api
from animus_routes.batteries.statuses import Meaning, Statuses, StatusMap
from animus_routes.batteries.trackers import Created, Hearing, answered_at
from animus_routes.batteries.upstream import retry_after_s
from animus_routes.errors import NamedError
from animus_routes.structs import subject as wire

import msgspec
from msgspec import Struct, field
from uuid import UUID, uuid4

KIND: Final = "linear"
PAGE: Final = 50
MAX_PAGE: Final = 100  # so that a page stays below the 10,000 points that one query may cost
LOOK_S: Final = 1.5  # before it is looked for what may have been created
HEALTH_S: Final = 0.8
KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")

STATUS_WORDS: Final[tuple[wire.SubjectStatus, ...]] = get_args(wire.SubjectStatus)
# A state's type decides; one that is not here is new, and ready.
TYPES: Final[dict[str, wire.SubjectStatus]] = {
    "started": "in-progress",
    "completed": "done",
    "canceled": "cancelled",
    "cancelled": "cancelled",
    "duplicate": "cancelled",
}
LABELLED: Final[StatusMap] = {"In Review": Meaning("in-progress", "code-review")}
# Linear's priorities run the other way, and 0 is none in both; the same table reads and writes.
PRIORITIES: Final = {0: 0, 1: 4, 2: 3, 3: 2, 4: 1}
URGENCIES: Final = (1, 2, 3, 4, 0)
CUSTOM: Final = {"estimate": "estimate", "due_date": "dueDate"}
# By the error's code, or by its type.
REFUSALS: Final[dict[str, type[NamedError]]] = {
    "RATELIMITED": QuotaExceeded,
    "ratelimited": QuotaExceeded,
    "AUTHENTICATION_ERROR": PermissionDenied,
    "authentication error": PermissionDenied,
    "FORBIDDEN": PermissionDenied,
    "forbidden": PermissionDenied,
    "INPUT_ERROR": InvalidRequest,
    "invalid input": InvalidRequest,
    "GRAPHQL_VALIDATION_FAILED": InvalidRequest,
    "graphql error": InvalidRequest,
}

# ---- what is asked ------------------------------------------------------------------------------

ENDS: Final = "pageInfo { hasNextPage endCursor }"
STATE: Final = "id name type color position"
# A connection without `first` costs as much as 50, and ends there in silence; `whole` reads on.
INNER: Final = {
    "labels": "id name",
    "children": "identifier",
    "attachments": "id title url sourceType",
    "comments": "body createdAt user { name }",
}
BRIEF: Final = f"""id identifier title priority url createdAt updatedAt trashed state {{ {STATE} }}
  team {{ id key }} project {{ id name }} assignee {{ name email }}
  labels(first: 15) {{ nodes {{ {INNER["labels"]} }} {ENDS} }}"""
FULL: Final = f"""{BRIEF} description branchName estimate dueDate parent {{ identifier }}
  children(first: 10) {{ nodes {{ {INNER["children"]} }} {ENDS} }}
  attachments(first: 5) {{ nodes {{ {INNER["attachments"]} }} {ENDS} }}"""
FIELDS: Final = {"full": FULL, "summary": BRIEF}
TEAM: Final = f"id key states(first: 100) {{ nodes {{ {STATE} }} {ENDS} }}"
FOUND: Final = "id name team { id }"
# By creation, because what is changed while somebody turns pages stays where it is.
LIST: Final = {
    name: f"""query List($filter: IssueFilter, $first: Int, $after: String) {{
  issues(filter: $filter, first: $first, after: $after, orderBy: createdAt) {{
    nodes {{ {fields} }} {ENDS} }} }}"""
    for name, fields in FIELDS.items()
}
GET: Final = {
    "summary": f"query Get($id: String!) {{ issue(id: $id) {{ {BRIEF} }} }}",
    "full": f"""query Get($id: String!) {{ issue(id: $id) {{ {FULL}
  comments(first: 50) {{ nodes {{ {INNER["comments"]} }} {ENDS} }} }} }}""",
}
REST: Final = {
    name: f"""query Rest($id: String!, $after: String) {{ issue(id: $id) {{
  {name}(first: 250, after: $after) {{ nodes {{ {fields} }} {ENDS} }} }} }}"""
    for name, fields in INNER.items()
}
# The oldest of each priority: the last, because the newest come first.
NEXT: Final = f"""query Next({" ".join(f"$p{n}: IssueFilter" for n in URGENCIES)}) {{ {
    " ".join(f"p{n}: issues(filter: $p{n}, last: 1) {{ nodes {{ {FULL} }} }}" for n in URGENCIES)
} }}"""
STATES: Final = f"""query States($filter: WorkflowStateFilter, $after: String) {{
  workflowStates(filter: $filter, first: 250, after: $after) {{ nodes {{ {STATE} }} {ENDS} }} }}"""
TEAMS: Final = f"""query Teams($filter: TeamFilter) {{
  teams(filter: $filter, first: 20) {{ nodes {{ {TEAM} }} }} }}"""
BEFORE: Final = f"""query Before($id: String!) {{ issue(id: $id) {{ {FULL} }}
  home: issue(id: $id) {{ team {{ {TEAM} }} }} }}"""
LABELS: Final = f"""query Labels($filter: IssueLabelFilter, $after: String) {{
  issueLabels(filter: $filter, first: 250, after: $after) {{ nodes {{ {FOUND} }} {ENDS} }} }}"""
USERS: Final = """query Users($filter: UserFilter) {
  users(filter: $filter, first: 10) { nodes { id name email } } }"""
VIEWER: Final = "query Viewer { viewer { id } }"
CREATE: Final = f"""mutation Create($input: IssueCreateInput!) {{
  issueCreate(input: $input) {{ success issue {{ {FULL} }} }} }}"""
UPDATE: Final = f"""mutation Update($id: String!, $input: IssueUpdateInput!) {{
  issueUpdate(id: $id, input: $input) {{ success issue {{ {FULL} }} }} }}"""
DELETE: Final = "mutation Delete($id: String!) { issueDelete(id: $id) { success } }"
COMMENT: Final = """mutation Comment($input: CommentCreateInput!) {
  commentCreate(input: $input) { success } }"""
LABEL: Final = f"""mutation Label($input: IssueLabelCreateInput!) {{
  issueLabelCreate(input: $input) {{ success issueLabel {{ {FOUND} }} }} }}"""

# ---- what is answered ---------------------------------------------------------------------------

T = TypeVar("T")


class Ends(Struct, rename="camel"):
    has_next_page: bool = False
    end_cursor: str | None = None


class Page(Struct, Generic[T], rename="camel"):
    nodes: list[T]
    page_info: Ends = field(default_factory=Ends)


def further(ends: Ends, after: str | None) -> Ends:
    """Where a page ends, if that is not where it began: nobody turns pages for ever."""
    if ends.has_next_page and ends.end_cursor in {None, after}:
        raise Unavailable("Linear's pages do not go on")
    return ends


class Ref(Struct):
    id: str


class Named(Struct):
    name: str
    id: str = ""
    email: str = ""
    team: Ref | None = None


class Key(Struct):
    identifier: str


class State(Struct):
    id: str
    name: str
    color: str
    position: float
    type: str


class Team(Struct):
    id: str
    key: str
    states: Page[State] = field(default_factory=lambda: Page[State](nodes=[]))


class Link(Struct, rename="camel"):
    id: str
    title: str
    url: str
    source_type: str | None = None


class Comment(Struct, rename="camel"):
    body: str
    created_at: str
    user: Named | None = None


class Issue(Struct, rename="camel"):
    id: str
    identifier: str
    title: str
    priority: float
    url: str
    created_at: str
    updated_at: str
    state: State
    team: Team
    labels: Page[Named]
    children: Page[Key] = field(default_factory=lambda: Page[Key](nodes=[]))
    attachments: Page[Link] = field(default_factory=lambda: Page[Link](nodes=[]))
    comments: Page[Comment] = field(default_factory=lambda: Page[Comment](nodes=[]))
    trashed: bool | None = None
    description: str | None = None
    branch_name: str | None = None
    estimate: float | None = None
    due_date: str | None = None
    assignee: Named | None = None
    parent: Key | None = None
    project: Named | None = None


CONNECTED: Final = {
    "labels": Named,
    "children": Key,
    "attachments": Link,
    "comments": Comment,
}


class Refused(Struct):
    message: str = ""
    extensions: dict[str, Any] = {}


class Refusal(Struct):
    """An answer, as far as it may be a refusal, which it can be with the status 200."""

    errors: list[Refused] = []
    data: Any = None


def refusal(status: int, headers: Mapping[str, str], text: bytes) -> NamedError | None:
    """What an answer's errors mean; None if there are none, or if it is not of Linear's form."""
    try:
        found = msgspec.json.decode(text, type=Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not found.errors:
        return None
    error, told = found.errors[0], found.errors[0].extensions
    said = " ".join(str(told.get("userPresentableMessage") or error.message).split())[:300]
    if error.message.startswith("Entity not found"):
        return NotFound(f"Linear says: {said}")
    words = (str(told.get(name)) for name in ("code", "type"))
    kind = next((REFUSALS[word] for word in words if word in REFUSALS), Unavailable)
    data = {"status": status, "code": told.get("code")}
    if kind is QuotaExceeded:
        return QuotaExceeded(f"Linear says: {said}", data, retry_after_s=until_reset(headers))
    return kind(f"Linear says: {said}", data)


def until_reset(headers: Mapping[str, str]) -> int | None:
    """When all budgets are there again: the latest, in milliseconds since 1970, used up or not."""
    if "retry-after" in headers:
        return retry_after_s(headers)
    resets = [v for name, v in headers.items() if re.fullmatch(r"x-ratelimit-.+-reset", name)]
    waits = [float(one) / 1000 - time() for one in resets if one.isdecimal()]
    return max((max(1, int(wait) + 1) for wait in waits), default=None)


# ---- what it is told ----------------------------------------------------------------------------


class Settings(Struct):
    token: Annotated[str, Env("LINEAR_API_TOKEN", "lin_api_..., or OAuth", sensitive=True)]
    url: Annotated[str, Env("LINEAR_API_URL")] = "https://api.linear.app/graphql"
    team: Annotated[str, Env("LINEAR_TEAM_ID", "A team's key or UUID; all teams if unset")] = ""
    project: Annotated[str, Env("LINEAR_PROJECT_ID", "A project's UUID; all if unset")] = ""
    status_map: Annotated[StatusMap, Env("LINEAR_STATUS_MAP", "{state: status}, in JSON")] = {}
    poll_s: Annotated[float, Env("LINEAR_POLL_S")] = 60.0
    timeout_s: Annotated[float, Env("LINEAR_TIMEOUT_S", "For one answer")] = 20.0
    secret: Annotated[str, Env("LINEAR_WEBHOOK_SECRET", sensitive=True)] = ""
    port: Annotated[int | None, Env("LINEAR_WEBHOOK_PORT", "On the loopback")] = None


class Query(wire.SubjectFilter, kw_only=True):
    """The protocol's filter, and how much of each issue is wanted."""

    projection: Literal["full", "summary"] = "full"


class Patch(wire.SubjectPatch, kw_only=True):
    """The protocol's patch, and what else may change here."""

    native_status: str | None = None
    parent: str | None = None


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return len(text) == len(str(UUID(int=0)))


def native_id(id: str) -> str:
    """Linear's own id, with or without the prefix; a UUID will do."""
    name = id.removeprefix(f"{KIND}:")
    if not (KEY.fullmatch(name) or is_uuid(name)):
        raise InvalidRequest(f"id: '{id:.80}' is none of Linear's: expected {KIND}:ENG-123")
    return name


def labelled(name: dict[str, Any]) -> dict[str, Any]:
    return {"labels": {"some": {"name": name}}}


def once(given: list[str]) -> list[str]:
    return list(dict.fromkeys(given))


# ---- Linear -------------------------------------------------------------------------------------


class Linear:
    """A workspace. Handlers of several threads share it."""

    def __init__(self, settings: Settings) -> None:
        token = settings.token
        is_key = token.startswith("lin_api_")  # which is refused with "Bearer" before it
        headers = {"authorization": token if is_key else f"Bearer {token.removeprefix('Bearer ')}"}
        base, _, self.path = settings.url.rstrip("/").rpartition("/")
        self.settings = settings
        self.api = Api("Linear", base, headers, judge=refusal, timeout_s=settings.timeout_s)
        self.pulse = Api("Linear", base, headers, judge=refusal, timeout_s=HEALTH_S)
        self.statuses = Statuses({**LABELLED, **settings.status_map})
        self.decided = Statuses(settings.status_map)

    def ask(self, document: str, kind: type[T], **variables: Any) -> T:
        """What a document asks for, by the names in it.

        Raises:
            NamedError: It is refused; there is no answer, or another one.
        """
        return self.told(document, kind, **variables)[0]

    def told(self, document: str, kind: type[T], **variables: Any) -> tuple[T, str | None]:
        """As `ask`, with when it was answered, by Linear's clock."""
        name = re.match(r"\w+ (\w+)", document)
        body = {"query": document, "operationName": name and name[1], "variables": variables}
        answer = self.api.post(self.path, body, type=dict[str, Any])
        try:
            data = msgspec.convert((answer.data or {}).get("data"), dict[str, Any])
            done = msgspec.convert(data, dict[str, Done]) if document.startswith("mutation") else {}
            if not all(one.success for one in done.values()):
                raise Unavailable("Linear did not do it, and does not say why")
            found = msgspec.convert(data, kind)
        except msgspec.ValidationError as problem:
            raise Unavailable(f"Linear answered with something else: {problem}") from None
        return found, answered_at(answer.headers)

    # Issues ---------------------------------------------------------------------------------------

    def subject(self, issue: Issue) -> wire.Subject:
        for name, kind in CONNECTED.items():
            self.whole(issue, name, kind)
        return self.shown(issue)

    def shown(self, issue: Issue) -> wire.Subject:
        """As far as it was read."""
        state = issue.state
        comments = [
            {"author": one.user and one.user.name, "at": one.created_at, "text": one.body}
            for one in sorted(issue.comments.nodes, key=lambda one: one.created_at)
        ]
        custom: dict[str, Any] = {
            "linear_uuid": issue.id,
            "linear_state_type": state.type,
            "linear_state_name": state.name,
            "linear_team": issue.team.key,
            "linear_project": issue.project and issue.project.name,
            "branch_name": issue.branch_name,
            "estimate": issue.estimate,
            "due_date": issue.due_date,
            "comments": comments or None,
        }
        return wire.Subject(
            id=f"{KIND}:{issue.identifier}",
            kind=KIND,
            title=issue.title,
            description=issue.description or None,
            status=self.bucket(state),
            native_status=state.name,
            status_metadata=msgspec.to_builtins(state),
            priority=PRIORITIES.get(int(issue.priority)),
            assignee=(issue.assignee.email or issue.assignee.name) if issue.assignee else None,
            labels=[label.name for label in issue.labels.nodes],
            parent=f"{KIND}:{issue.parent.identifier}" if issue.parent else None,
            children=[f"{KIND}:{child.identifier}" for child in issue.children.nodes],
            attachments=[attachment(link) for link in issue.attachments.nodes],
            url=issue.url,
            created_at=issue.created_at,
            updated_at=issue.updated_at,
            custom={name: value for name, value in custom.items() if value is not None},
        )

    def whole(self, issue: Issue, name: str, kind: Any) -> None:
        """Read on where a connection went further than was asked for."""
        page: Page[Any] = getattr(issue, name)
        while page.page_info.has_next_page:
            after = page.page_info.end_cursor
            found = dict[str, dict[str, Page[kind]]]
            more = self.ask(REST[name], found, id=issue.id, after=after)["issue"][name]
            page.nodes += more.nodes
            page.page_info = further(more.page_info, after)

    def bucket(self, state: State) -> wire.SubjectStatus:
        if state.name in self.settings.status_map:
            return self.decided.status(state.name)
        return TYPES.get(state.type, "ready")

    def issue(self, id: str, projection: str = "full") -> Issue:
        found = self.ask(GET[projection], dict[Literal["issue"], Issue], id=id)["issue"]
        return self.served(found)

    def served(self, issue: Issue) -> Issue:
        """The issue, if it is one of those that lists have."""
        name, team = f"subject '{KIND}:{issue.identifier}'", self.settings.team.lower()
        if team not in {"", issue.team.id.lower(), issue.team.key.lower()}:
            raise NotFound(f"{name}: {issue.team.key} is not the team of LINEAR_TEAM_ID")
        project = self.settings.project.lower()
        if project not in {"", issue.project.id.lower() if issue.project else None}:
            raise NotFound(f"{name}: it is not in the project of LINEAR_PROJECT_ID")
        if issue.trashed:
            raise NotFound(f"{name} is in the trash")
        return issue

    def above(self, parent: str | None) -> str | None:
        """The id of an issue's parent to be; it has to be served too."""
        return self.issue(native_id(parent), "summary").id if parent else None

    def page(self, query: Query) -> wire.SubjectList:
        wanted = self.filter(query)
        if wanted is None:
            return wire.SubjectList(subjects=[])
        found, at = self.told(
            LIST[query.projection],
            dict[Literal["issues"], Page[Issue]],
            filter=wanted,
            first=max(1, min(query.limit or PAGE, MAX_PAGE)),
            after=query.cursor,
        )
        page = found["issues"]
        ends = page.page_info
        return wire.SubjectList(
            subjects=[self.subject(issue) for issue in page.nodes if not issue.trashed],
            fetched_at=at or "",
            next_cursor=ends.end_cursor if ends.has_next_page else None,
        )

    def next(self) -> wire.Subject | None:
        """The oldest of the most urgent that are ready."""
        ready = self.filter(Query(status=["ready"]))
        asked = {f"p{n}": {"and": [ready, {"priority": {"eq": n}}]} for n in URGENCIES}
        found = self.ask(NEXT, dict[str, Page[Issue]], **asked)
        issues = (issue for n in URGENCIES for issue in found[f"p{n}"].nodes)
        return next(map(self.subject, issues), None)

    # Filters --------------------------------------------------------------------------------------

    def filter(self, query: Query) -> dict[str, Any] | None:
        """Linear's words for a filter; None if nothing can be found."""
        if query.has_attachment_kind not in {None, "url"} or KIND not in (query.kind or [KIND]):
            return None
        project, label, since = self.settings.project, query.dispatch_label, query.updated_since
        people = ({name: {"in": query.assignee}} for name in ("email", "name"))
        named = {"name": {"eq": query.native_status}}
        wanted: list[tuple[object, Callable[[], dict[str, Any] | None]]] = [
            (self.settings.team, lambda: {"team": self.of_team()}),
            (project, lambda: {"project": {"id": {"eq": project}}}),
            (query.status, lambda: self.in_status(query.status)),
            (query.native_status, lambda: {"state": named}),
            (label, lambda: self.in_states(str(label))),
            (query.assignee, lambda: {"assignee": {"or": [*people]}}),
            (query.labels_any, lambda: labelled({"in": query.labels_any})),
            (query.has_attachment_kind, lambda: {"attachments": {"length": {"gt": 0}}}),
            (since, lambda: {"updatedAt": {"gte": since}}),
            # Two names in one condition would ask for one label that has both.
            *((one, partial(labelled, {"eq": one})) for one in query.labels_all),
        ]
        parts = [condition() for given, condition in wanted if given]
        return None if None in parts else {"and": parts}

    def of_team(self) -> dict[str, Any]:
        """A filter of teams; empty for all of them."""
        team = self.settings.team
        name = "id" if is_uuid(team) else "key"
        return {name: {"eq": team}} if team else {}

    def hints(self) -> list[wire.StatusDispatchHint]:
        """The states of the teams, each once, in the order of their boards."""
        wanted = {"team": self.of_team()} if self.settings.team else {}
        states: dict[str, State] = {}
        found = self.every(STATES, "workflowStates", State, wanted)
        for state in sorted(found, key=lambda state: state.position):
            states.setdefault(state.name, state)
        return Statuses(
            {
                name: Meaning(self.bucket(state), self.statuses.meaning(name).dispatch_label)
                for name, state in states.items()
            }
        ).hints()

    def in_status(self, wanted: list[wire.SubjectStatus]) -> dict[str, Any] | None:
        """By the types of states, apart from those that somebody has decided on by name."""
        named = self.settings.status_map
        decided = [name for name in named if self.decided.status(name) in wanted]
        ways: list[dict[str, Any]] = [{"name": {"in": decided}}] if decided else []
        others = {"name": {"nin": [*named]}} if named else {}
        if "ready" in wanted:
            not_these = [kind for kind, word in TYPES.items() if word not in wanted]
            ways.append({"type": {"nin": not_these}, **others})
        elif these := [kind for kind, word in TYPES.items() if word in wanted]:
            ways.append({"type": {"in": these}, **others})
        return {"state": {"or": ways}} if ways else None

    def in_states(self, label: str) -> dict[str, Any] | None:
        names = [h.native_status for h in self.statuses.hints() if h.dispatch_label == label]
        return {"state": {"name": {"in": names}}} if names else None

    def health(self) -> str | None:
        """Why nothing can be asked now, which goes by; what is wrong with the key is raised."""
        trouble = self.api.trouble()
        if trouble is None:
            try:
                self.pulse.post(self.path, {"query": VIEWER, "operationName": "Viewer"})
            except (Unavailable, QuotaExceeded) as problem:
                return problem.message
        return trouble

    # What names stand for -------------------------------------------------------------------------

    def team(self) -> Team:
        """Where new issues go."""
        found = self.ask(TEAMS, dict[Literal["teams"], Page[Team]], filter=self.of_team())["teams"]
        if len(found.nodes) != 1:
            keys = ", ".join(team.key for team in found.nodes) or "none is found"
            raise InvalidRequest(f"LINEAR_TEAM_ID has to name one team: {keys}")
        return found.nodes[0]

    def state(self, team: Team, status: str | None, native: str | None) -> State:
        """The first state on the team's board that is called so, or stands for a status."""
        states = sorted(team.states.nodes, key=lambda state: state.position)
        for one in states:
            if native is not None and one.name.lower() == native.lower():
                return one
            if native is None and self.bucket(one) == status:
                return one
        names = ", ".join(f"'{one.name}' ({self.bucket(one)})" for one in states)
        wanted = f"is called '{native:.80}'" if native is not None else f"means {status}"
        raise InvalidRequest(
            f"status: no state of the team {team.key} {wanted}: {names}; LINEAR_STATUS_MAP decides"
        )

    def labels(self, names: list[str], team: Team) -> list[str]:
        """The ids of labels of the team or of all; what there is not is made."""
        if not names:
            return []
        known = self.known_labels(names, team)
        for name in names:
            if name not in known:
                asked = {"name": name, "teamId": team.id}
                try:
                    made = self.ask(LABEL, dict[Literal["issueLabelCreate"], NewLabel], input=asked)
                    known[name] = made["issueLabelCreate"].label.id
                except InvalidRequest:
                    known |= self.known_labels([name], team)  # somebody else has made it
                    if name not in known:
                        raise
        return once([known[name] for name in names])

    def known_labels(self, names: list[str], team: Team) -> dict[str, str]:
        wanted = {"name": {"in": names}, "isGroup": {"eq": False}}
        found = self.every(LABELS, "issueLabels", Named, wanted)
        own = [one for one in found if one.team is None or one.team.id == team.id]
        own.sort(key=lambda one: one.team is not None)  # the team's own come last, and count
        return {one.name: one.id for one in own}

    def every(self, document: str, name: str, kind: type[T], wanted: dict[str, Any]) -> list[T]:
        """All of a list."""
        found: list[T] = []
        ends = Ends(has_next_page=True)
        while ends.has_next_page:
            asked = {"filter": wanted, "after": ends.end_cursor}
            page: Page[T] = self.ask(document, dict[str, Page[kind]], **asked)[name]  # type: ignore[valid-type]
            found += page.nodes
            ends = further(page.page_info, ends.end_cursor)
        return found

    def user(self, name: str) -> str:
        """Who is called that: by e-mail, name, display name or UUID."""
        if is_uuid(name):
            return name
        ways = [{way: {"eqIgnoreCase": name}} for way in ("email", "name", "displayName")]
        kind = dict[Literal["users"], Page[Named]]
        found = self.ask(USERS, kind, filter={"or": ways})["users"].nodes
        if len(found) != 1:
            mails = ", ".join(one.email for one in found)
            who = f"are {mails}: name one" if found else "is nobody in this workspace"
            raise InvalidRequest(f"assignee: '{name:.80}' {who}")
        return found[0].id

    # Changes --------------------------------------------------------------------------------------

    def create(self, new: wire.SubjectCreateRequest, ctx: Context[Any]) -> wire.Subject:
        team = self.team()
        given: dict[str, Any] = {
            "id": str(uuid4()),
            "teamId": team.id,
            "title": new.title,
            "description": new.description,
            "priority": urgency(new.priority),
            "stateId": self.state(team, new.status, None).id if new.status else None,
            "assigneeId": self.user(new.assignee) if new.assignee else None,
            "labelIds": self.labels(once(new.labels), team),
            "parentId": self.above(new.parent),
            "projectId": self.settings.project,
            **custom_fields(new.custom),
        }
        asked = {name: value for name, value in given.items() if value}
        try:
            issue = self.ask(CREATE, Made, input=asked).done()
        except Unavailable:
            # The answer may have been lost on its way back; Linear knows the id that was sent.
            if ctx.wait(LOOK_S):
                raise
            with suppress(RpcError):
                return self.subject(self.issue(asked["id"]))
            raise
        HEARING.changed()
        with Created(issue.identifier, ctx):
            return self.subject(issue)
        return self.shown(issue)

    def update(self, id: str, patch: Patch) -> wire.Subject:
        before = self.ask(BEFORE, Before, id=id)
        issue, team = self.served(before.issue), before.home.team
        asked = self.input_of(issue, team, patch)
        if asked:
            issue = self.ask(UPDATE, Made, id=issue.id, input=asked).done()
            HEARING.changed()
        if patch.comment:
            comment = {"issueId": issue.id, "body": patch.comment}
            self.ask(COMMENT, dict[str, Any], input=comment)
            HEARING.changed()
        return self.subject(issue)

    def input_of(self, issue: Issue, team: Team, patch: Patch) -> dict[str, Any]:
        """A patch in Linear's words, without what is so already."""
        plain = {"title": patch.title, "description": patch.description}
        asked: dict[str, Any] = {name: value for name, value in plain.items() if value is not None}
        asked |= custom_fields(patch.custom)
        if patch.priority is not None:
            asked["priority"] = urgency(patch.priority)
        is_there = patch.status in {None, self.bucket(issue.state)}
        if patch.native_status is not None or not is_there:
            state = self.state(team, patch.status, patch.native_status)
            asked |= {"stateId": state.id} if state.id != issue.state.id else {}
        if patch.assignee is not UNSET:
            asked["assigneeId"] = self.user(patch.assignee) if patch.assignee else None
        if patch.parent is not None:
            asked["parentId"] = self.above(patch.parent)
        return asked | self.label_changes(issue, team, patch)

    def label_changes(self, issue: Issue, team: Team, patch: Patch) -> dict[str, Any]:
        """Added and taken away one by one, so that two changes at once do not lose each other."""
        self.whole(issue, "labels", Named)
        has = {label.name: label.id for label in issue.labels.nodes}
        if patch.labels is not None:
            kept = [name for name in patch.labels if name not in patch.labels_remove]
            return {"labelIds": self.labels(once([*kept, *patch.labels_add]), team)}
        new = [name for name in once(patch.labels_add) if name not in has]
        gone = [has[n] for n in once(patch.labels_remove) if n in has and n not in patch.labels_add]
        changes = {"addedLabelIds": self.labels(new, team), "removedLabelIds": gone}
        return {name: ids for name, ids in changes.items() if ids}


class NewLabel(Struct, rename={"label": "issueLabel"}):
    label: Named


class Done(Struct):
    """What every mutation answers with."""

    success: bool


class Payload(Struct):
    issue: Issue | None = None


class Made(Struct, rename={"update": "issueUpdate", "create": "issueCreate"}):
    """The answer of a mutation."""

    create: Payload | None = None
    update: Payload | None = None

    def done(self) -> Issue:
        payload = self.create or self.update
        if payload is None or payload.issue is None:
            raise Unavailable("Linear does not show what it did")
        return payload.issue


class Home(Struct):
    team: Team


class Before(Struct):
    """An issue before it is changed, with the states of its team."""

    issue: Issue
    home: Home


def attachment(link: Link) -> wire.SubjectAttachment:
    metadata = {"source": link.source_type} if link.source_type else None
    return wire.SubjectAttachment(
        id=link.id, kind="url", uri=link.url, title=link.title, metadata=metadata
    )


def urgency(level: int | None) -> int | None:
    if level is not None and level not in PRIORITIES:
        raise InvalidRequest(f"priority: {level} is none of 0 to 4")
    return None if level is None else PRIORITIES[level]


def custom_fields(custom: dict[str, Any]) -> dict[str, Any]:
    """Linear's own fields; a null clears one."""
    for name in custom:
        if name not in CUSTOM:
            raise InvalidRequest(f"custom: '{name:.80}': expected one of {', '.join(CUSTOM)}")
    return {CUSTOM[name]: value for name, value in custom.items()}


# ---- the plugin ---------------------------------------------------------------------------------

HEARING: Final = Hearing("linear", lambda found: (found.secret, found.port), gone=b'"remove"')
LOCK: Final = Lock()


def lifespan() -> Iterator[list[Linear]]:
    """Where the workspace is kept once a call has needed it: a ping needs no settings."""
    held: list[Linear] = []
    yield held
    for one in held:
        one.api.close()
        one.pulse.close()


def the_workspace(ctx: Context[list[Linear]], settings: Settings) -> Linear:
    with LOCK:
        if not ctx.state:
            ctx.state.append(Linear(settings))
        return ctx.state[0]


Workspace = Annotated[Linear, Depends(the_workspace)]

app = App(
    kind="subject_backend",
    name="animus-subject-linear",
    version="0.1.0",
    description="Issues of Linear",
    subject_kinds=[KIND],
    projections=["summary"],
    settings=Settings,
    env_required=NETWORK,
    lifespan=lifespan,
    concurrency=4,
)


app.watch_by_polling(every_s=lambda settings: settings.poll_s, woken_by=HEARING)


@app.method("subject/list")
def list_issues(filter: Query, workspace: Workspace) -> wire.SubjectList:
    return workspace.page(filter)


@app.method("subject/get")
def get_issue(
    id: str, workspace: Workspace, projection: Literal["full", "summary"] = "full"
) -> wire.Subject:
    return workspace.subject(workspace.issue(native_id(id), projection))


@app.method("subject/create")
def create_issue(
    new: wire.SubjectCreateRequest, workspace: Workspace, ctx: Context
) -> wire.Subject:
    return workspace.create(new, ctx)


@app.method("subject/update")
def update_issue(id: str, patch: Patch, workspace: Workspace) -> wire.Subject:
    return workspace.update(native_id(id), patch)


@app.method("subject/status")
def set_status(id: str, status: str, workspace: Workspace) -> wire.Subject:
    """Move an issue: to one of the five words, or to a state by its name."""
    is_word = status in STATUS_WORDS
    patch = Patch(status=cast("Any", status)) if is_word else Patch(native_status=status)
    return workspace.update(native_id(id), patch)


@app.method("subject/next")
def next_issue(workspace: Workspace) -> wire.Subject | None:
    return workspace.next()


@app.method("subject/delete")
def delete_issue(id: str, workspace: Workspace) -> None:
    workspace.ask(DELETE, dict[str, Any], id=workspace.issue(native_id(id), "summary").id)
    HEARING.changed(full=True)


@app.method("subject/schema")
def schema(workspace: Workspace) -> wire.SubjectSchema:
    hints = workspace.hints()
    return wire.SubjectSchema(
        kinds=[KIND],
        status_values=[*STATUS_WORDS],
        native_status_values=[hint.native_status for hint in hints],
        status_dispatch_hints=hints,
        custom_fields=[
            wire.CustomFieldSpec(key="estimate", type="number"),
            wire.CustomFieldSpec(key="due_date", type="date"),
        ],
        supports_watch=True,
        supports_create=True,
        supports_pagination=True,
    )


@app.health
def health(workspace: Workspace) -> str | None:
    return workspace.health()


if __name__ == "__main__":
    app.run()
