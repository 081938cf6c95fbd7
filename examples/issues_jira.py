"""Jira Cloud's issues as subjects: `jira:PROJ-456`.

Needs JIRA_URL (`https://acme.atlassian.net`, or `https://api.atlassian.com/ex/jira/CLOUD-ID` for scoped
tokens), JIRA_API_TOKEN, JIRA_EMAIL (none: the token is an OAuth one) and JIRA_PROJECTS, the keys of the
projects that are served. New issues go to the first, as JIRA_ISSUE_TYPE.

Jira's name of a status is the `native_status`. Its category decides which of the five words it is, and for
a few its name or the resolution, unless JIRA_STATUS_MAP says otherwise: `{"Waiting": "blocked", "QA":
{"status": "in-progress", "dispatch_label": "code-review"}}`. A status changes by a transition; where none
leads there, the answer says which ones there are. Changes are asked for; with JIRA_WEBHOOK_SECRET and
JIRA_WEBHOOK_PORT, Jira's webhook says when.

Nothing is deleted, because in Jira that cannot be undone: daemons cancel the subject instead.
"""

import re
from base64 import b64encode
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from math import ceil
from threading import Lock
from time import monotonic, time
from typing import Annotated, Any, Final, Literal, NamedTuple, cast, get_args
from urllib.parse import urlsplit

from animus_routes import (
    UNSET,
    App,
    Context,
    Depends,
    Env,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from animus_routes.batteries.adf import document, markdown
from animus_routes.batteries.api import NETWORK, Api
from animus_routes.batteries.paging import cursor_of, read_cursor
from animus_routes.batteries.statuses import Meaning, Statuses, StatusMap
from animus_routes.batteries.trackers import Created, Hearing, answered_at
from animus_routes.structs import subject as wire

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

KIND: Final = "jira"
PAGE: Final = 50
MAX_PAGE: Final = 100
LOOKED_THROUGH: Final = 20  # pages of a search, for one that has a match
CLOCKS_MIN: Final = 5  # by how much the clocks of Jira and of this machine may differ
RECONCILED: Final = 50  # ids that a search may be asked to have up to date
KNOWN_S: Final = 300.0  # how long a project's statuses and people are taken to be the same
HEALTH_S: Final = 0.8
KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+")
ACCOUNT: Final = re.compile(r"[0-9a-f]{24}|[0-9]+:[0-9a-f-]{36}")
BRIEF: Final = (
    *("summary", "status", "priority", "assignee", "labels", "created", "updated", "resolution"),
)
FIELDS: Final = (*BRIEF, "description", "parent", "subtasks", "issuetype", "duedate")

STATUS_WORDS: Final[tuple[wire.SubjectStatus, ...]] = get_args(wire.SubjectStatus)
CATEGORIES: Final[dict[str, wire.SubjectStatus]] = {"indeterminate": "in-progress", "done": "done"}
# What a name says that its category cannot.
NAMES: Final[tuple[tuple[re.Pattern[str], wire.SubjectStatus], ...]] = (
    (re.compile(r"cancel|won.?t|reject|declin|duplicate|abandon", re.IGNORECASE), "cancelled"),
    (re.compile(r"block|on hold|waiting|impeded", re.IGNORECASE), "blocked"),
)
DROPPED: Final = re.compile(r"won.?t|duplicate|cannot reproduce|declined", re.IGNORECASE)
REVIEW: Final = re.compile(r"(in |code )?review", re.IGNORECASE)
PRIORITIES: Final = {4: "Highest", 3: "High", 2: "Medium", 1: "Low"}
LEVELS: Final = {
    **{name.lower(): level for level, name in PRIORITIES.items()},
    **dict.fromkeys(("blocker", "critical"), 4),
    **dict.fromkeys(("minor", "lowest", "trivial"), 1),
    "major": 3,
}

# ---- what it is told, and what it is answered ---------------------------------------------------


class Settings(Struct):
    url: Annotated[str, Env("JIRA_URL", "https://SITE.atlassian.net")]
    token: Annotated[str, Env("JIRA_API_TOKEN", sensitive=True)]
    projects: Annotated[
        list[Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]],
        Meta(min_length=1),
        Env("JIRA_PROJECTS", "Keys, with commas"),
    ]
    email: Annotated[str, Env("JIRA_EMAIL", "Whose token it is; none for OAuth")] = ""
    issue_type: Annotated[str, Env("JIRA_ISSUE_TYPE")] = "Task"
    fields: Annotated[list[str], Env("JIRA_FIELDS", "More fields for `custom`, with commas")] = []
    status_map: Annotated[StatusMap, Env("JIRA_STATUS_MAP", "{name: status}, in JSON")] = {}
    done_as: Annotated[str, Env("JIRA_DONE_AS", "A resolution")] = "Done"
    cancelled_as: Annotated[str, Env("JIRA_CANCELLED_AS", "A resolution")] = "Won't Do"
    poll_s: Annotated[float, Env("JIRA_POLL_S")] = 60.0
    timeout_s: Annotated[float, Env("JIRA_TIMEOUT_S", "For one answer")] = 20.0
    secret: Annotated[str, Env("JIRA_WEBHOOK_SECRET", sensitive=True)] = ""
    port: Annotated[int | None, Env("JIRA_WEBHOOK_PORT", "On the loopback")] = None


class Key(Struct):
    key: str


class Named(Struct):
    name: str


class Status(Struct, rename={"category": "statusCategory"}):
    name: str
    category: Key


class Person(Struct, rename="camel"):
    account_id: str
    display_name: str = ""
    email_address: str = ""

    @property
    def shown(self) -> str:
        """What it is called here; Jira hides most addresses."""
        return self.email_address or self.display_name or self.account_id

    def is_called(self, name: str) -> bool:
        names = (self.account_id, self.email_address, self.display_name)
        return name.lower() in {one.lower() for one in names}


class Fields(Struct):
    summary: str
    status: Status
    created: str
    updated: str
    description: dict[str, Any] | None = None
    priority: Named | None = None
    assignee: Person | None = None
    labels: list[str] = []
    parent: Key | None = None
    subtasks: list[Key] = []
    issuetype: Named | None = None
    resolution: Named | None = None
    duedate: str | None = None


class Issue(Struct):
    id: str
    key: str
    fields: dict[str, Any]

    def read(self) -> Fields:
        try:
            return msgspec.convert(self.fields, Fields)
        except msgspec.ValidationError as problem:
            raise Unavailable(
                f"Jira answered with something else for {self.key}: {problem}"
            ) from None


class Found(Struct, rename="camel"):
    issues: list[Issue]
    next_page_token: str | None = None


class Made(Struct):
    id: str
    key: str


class OfType(Struct):
    """The statuses of one type of issues."""

    statuses: list[Status]


class Transition(Struct):
    id: str
    to: Status
    fields: dict[str, Any] = {}


class Transitions(Struct):
    transitions: list[Transition]


class Query(wire.SubjectFilter, kw_only=True):
    """The protocol's filter, and how much of each issue is wanted."""

    projection: Literal["full", "summary"] = "full"


class Patch(wire.SubjectPatch, kw_only=True):
    """The protocol's patch, and what else may change here."""

    native_status: str | None = None
    parent: str | None = None


def rfc3339(text: str) -> str:
    """Jira's times have an offset without a colon."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quoted(text: str) -> str:
    """A value in JQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def listing(field: str, values: Iterable[str]) -> str:
    return f"{field} in ({', '.join(map(quoted, values))})"


def key_of(id: str) -> str:
    """Jira's own key, with or without the prefix."""
    key = id.removeprefix(f"{KIND}:")
    if not KEY.fullmatch(key):
        raise InvalidRequest(f"id: '{id:.80}' is none of Jira's: expected {KIND}:PROJ-456")
    return key.upper()


def bare(labels: list[str]) -> list[str]:
    for label in labels:
        if not label or re.search(r"\s", label):
            raise InvalidRequest(f"labels: '{label:.80}': in Jira they have no spaces")
    return list(dict.fromkeys(labels))


# ---- Jira ---------------------------------------------------------------------------------------


class Page(NamedTuple):
    """Where a search goes on: Jira's token, and the minutes that its query speaks of."""

    token: str | None = None
    minutes: int = 0


class Jira:
    """A site. Handlers of several threads share it."""

    def __init__(self, settings: Settings) -> None:
        auth = f"Bearer {settings.token}"
        if settings.email:
            auth = f"Basic {b64encode(f'{settings.email}:{settings.token}'.encode()).decode()}"
        self.settings = settings
        base = f"{settings.url.rstrip('/')}/rest/api/3"
        self.api = Api("Jira", base, {"authorization": auth}, timeout_s=settings.timeout_s)
        self.decided = Statuses(settings.status_map)
        self.written: deque[str] = deque(maxlen=RECONCILED)
        self.kept: dict[str, tuple[float, Any]] = {}

    def lately(self, path: str, params: dict[str, str | int | None], kind: Any) -> Any:
        """What changes seldom, from memory for a while."""
        name = f"{path} {params}"
        until, found = self.kept.get(name, (0.0, None))
        if until < monotonic():
            found = self.api.get(path, params, type=kind).data
            self.kept[name] = (monotonic() + KNOWN_S, found)
        return found

    # How far an issue is ------------------------------------------------------------------------

    def statuses(self) -> Statuses:
        """Every status of the projects, with what it means."""
        words: dict[str, Meaning] = {}
        for project in self.settings.projects:
            for kind in self.lately(f"/project/{project}/statuses", {}, list[OfType]):
                words |= {status.name: self.meaning(status) for status in kind.statuses}
        return Statuses(words)

    def meaning(self, status: Status) -> Meaning:
        if status.name in self.settings.status_map:
            return self.decided.meaning(status.name)
        named = next((word for pattern, word in NAMES if pattern.search(status.name)), None)
        label = "code-review" if REVIEW.fullmatch(status.name) else None
        return Meaning(named or CATEGORIES.get(status.category.key, "ready"), label)

    def bucket(self, fields: Fields) -> str:
        """One of the five words; what is done with a resolution such as Won't Do is cancelled."""
        found = self.meaning(fields.status).status
        resolution = fields.resolution.name if fields.resolution else ""
        is_own = fields.status.name in self.settings.status_map
        return (
            "cancelled" if found == "done" and not is_own and DROPPED.search(resolution) else found
        )

    # Issues ---------------------------------------------------------------------------------------

    def subject(self, issue: Issue) -> wire.Subject:
        fields, base = issue.read(), self.settings.url.rstrip("/")
        is_site = urlsplit(base).hostname != "api.atlassian.com"
        custom: dict[str, Any] = {"jira_id": issue.id, "due_date": fields.duedate}
        custom["jira_status_category"] = fields.status.category.key
        custom["issue_type"] = fields.issuetype and fields.issuetype.name
        custom["resolution"] = fields.resolution and fields.resolution.name
        custom["assignee_account_id"] = fields.assignee and fields.assignee.account_id
        custom |= {name: issue.fields.get(name) for name in self.settings.fields}
        return wire.Subject(
            id=f"{KIND}:{issue.key}",
            kind=KIND,
            title=fields.summary,
            status=cast("wire.SubjectStatus", self.bucket(fields)),
            native_status=fields.status.name,
            description=markdown(fields.description) or None if fields.description else None,
            priority=LEVELS.get(fields.priority.name.lower()) if fields.priority else None,
            assignee=fields.assignee.shown if fields.assignee else None,
            labels=fields.labels,
            parent=f"{KIND}:{fields.parent.key}" if fields.parent else None,
            children=[f"{KIND}:{child.key}" for child in fields.subtasks],
            url=f"{base}/browse/{issue.key}" if is_site else None,
            created_at=rfc3339(fields.created),
            updated_at=rfc3339(fields.updated),
            custom={name: value for name, value in custom.items() if value is not None},
        )

    def fields(self, projection: str) -> list[str]:
        return [*BRIEF] if projection == "summary" else [*FIELDS, *self.settings.fields]

    def issue(self, key: str, projection: str = "full") -> Issue:
        asked = {"fields": ",".join(self.fields(projection))}
        found = self.api.get(f"/issue/{key}", asked, type=Issue).data
        self.served(key, found.key)
        return found

    def served(self, asked: str, key: str) -> None:
        """Check that an issue, by the key that it has now, is in a project that is served.

        Lists follow a project to another key, so it may have the one that a project has got meanwhile.
        """
        project = key.rpartition("-")[0].upper()
        if project in {one.upper() for one in self.settings.projects}:
            return
        if project not in {
            self.lately(f"/project/{one}", {}, Key).key for one in self.settings.projects
        }:
            raise NotFound(f"subject '{KIND}:{asked}': {project} is not in JIRA_PROJECTS")

    def above(self, parent: str | None) -> dict[str, str] | None:
        """Whose child an issue becomes; it has to be served too."""
        return {"key": self.issue(key_of(parent), "summary").key} if parent else None

    def page(self, query: Query) -> wire.SubjectList:
        """Matches, with a place to go on; what JQL cannot say is looked for in what it finds."""
        place = Page() if query.cursor is None else read_cursor(query.cursor, Page)
        if query.updated_since and not place.minutes:
            # Relative, because JQL's absolute times are minutes of whoever asks, in their zone.
            past_s = time() - datetime.fromisoformat(query.updated_since).timestamp()
            place = Page(place.token, max(0, ceil(past_s / 60)) + CLOCKS_MIN)
        jql = self.jql(query, place.minutes)
        found = wire.SubjectList(subjects=[])
        size = max(1, min(query.limit or PAGE, MAX_PAGE))
        exactly = replace(query, assignee=[], kind=[])
        for _ in range(LOOKED_THROUGH if jql else 0):
            page, found.fetched_at = self.search(str(jql), size, place.token, query.projection)
            subjects = map(self.subject, page.issues)
            found.subjects = [one for one in subjects if self.matches(exactly, one)]
            place = Page(page.next_page_token, place.minutes)
            found.next_cursor = cursor_of(place) if place.token else None
            if found.subjects or not place.token:
                break
        return found

    def search(
        self, jql: str, size: int, token: str | None = None, projection: str = "full"
    ) -> tuple[Found, str]:
        """A page, and when it was read, by Jira's clock."""
        self.recognized()
        asked = {"jql": jql, "maxResults": size, "fields": self.fields(projection)}
        more = {"nextPageToken": token, "reconcileIssues": [int(one) for one in self.written]}
        asked |= {name: value for name, value in more.items() if value}
        answer = self.api.post("/search/jql", asked, type=Found)
        return answer.data, answered_at(answer.headers) or ""

    def recognized(self) -> None:
        """To whom it does not know, Jira shows that there is nothing."""
        self.lately("/myself", {}, dict[str, Any])

    def matches(self, query: Query, subject: wire.Subject) -> bool:
        label = self.statuses().meaning(subject.native_status or "").dispatch_label
        wanted = replace(query, dispatch_label=None)
        return query.dispatch_label in {None, label} and wanted.matches(subject)

    def jql(self, query: Query, minutes: int) -> str | None:
        """The search that finds what a filter wants, and perhaps more; None if nothing can be found."""
        parts = [listing("project", self.settings.projects)]
        if (query.kind and KIND not in query.kind) or query.has_attachment_kind:
            return None
        # What is done may have been dropped: its resolution is looked at afterwards.
        done = ["done"] if "cancelled" in query.status else []
        words = self.statuses().wanted(replace(query, status=[*query.status, *done]))
        if words is not None:
            parts.append(listing("status", sorted(words)))
        accounts = [account for name in query.assignee for account in self.accounts(name)]
        if query.assignee:
            parts.append(listing("assignee", accounts))
        if query.labels_any:
            parts.append(listing("labels", query.labels_any))
        parts += [f"labels = {quoted(label)}" for label in query.labels_all]
        if minutes:
            parts.append(f'updated >= "-{minutes}m"')
        if words == set() or (query.assignee and not accounts):
            return None
        # By creation, because what is changed while somebody turns pages stays where it is.
        return f"{' AND '.join(parts)} ORDER BY created ASC, key ASC"

    def next(self) -> wire.Subject | None:
        ready = self.statuses().natives("ready")
        if not ready:
            return None
        where = f"{listing('project', self.settings.projects)} AND {listing('status', ready)}"
        page, _ = self.search(f"{where} ORDER BY priority DESC, created ASC", 1)
        return next(map(self.subject, page.issues), None)

    # People -------------------------------------------------------------------------------------

    def accounts(self, name: str, project: str | None = None) -> list[str]:
        """Who is called that: by account id, address or name."""
        if ACCOUNT.fullmatch(name):
            return [name]
        found: dict[str, None] = {}
        for one in [project] if project else self.settings.projects:
            asked: dict[str, str | int | None] = {"project": one, "query": name}
            people = self.lately("/user/assignable/search", asked, list[Person])
            found |= {person.account_id: None for person in people if person.is_called(name)}
        return [*found]

    def assignee(self, name: str | None, project: str) -> dict[str, str] | None:
        if not name:
            return None
        found = self.accounts(name, project)
        if len(found) != 1:
            who = f"are {', '.join(found)}: name one" if found else "is nobody who can be assigned"
            raise InvalidRequest(f"assignee: '{name:.80}' {who}")
        return {"accountId": found[0]}

    # Changes --------------------------------------------------------------------------------------

    def changed(self, issue_id: str) -> None:
        """Have searches know it at once, and watches ask."""
        if issue_id not in self.written:
            self.written.append(issue_id)
        HEARING.changed()

    def create(self, new: wire.SubjectCreateRequest, ctx: Context[Any]) -> wire.Subject:
        project = self.settings.projects[0]
        given: dict[str, Any] = {
            "project": {"key": project},
            "issuetype": {"name": self.settings.issue_type},
            "summary": new.title,
            "description": document(new.description) if new.description else None,
            "labels": bare(new.labels),
            "priority": priority(new.priority),
            "assignee": self.assignee(new.assignee, project),
            "parent": self.above(new.parent),
            **custom_fields(new.custom),
        }
        fields = {name: value for name, value in given.items() if value}
        made = self.api.post("/issue", {"fields": fields}, type=Made).data
        self.changed(made.id)
        with Created(made.key, ctx):
            return self.update(made.key, Patch(status=new.status))
        title, labels = new.title, fields.get("labels", [])
        return wire.Subject(id=f"{KIND}:{made.key}", kind=KIND, title=title, labels=labels)

    def update(self, key: str, patch: Patch) -> wire.Subject:
        issue = self.issue(key)
        step = self.step(issue, patch.status, patch.native_status)  # before anything is changed
        parts = {"fields": self.fields_of(issue, patch), "update": changes_of(patch)}
        if body := {name: part for name, part in parts.items() if part}:
            self.api.put(f"/issue/{issue.key}", body)
        if step is not None:
            self.api.post(f"/issue/{issue.key}/transitions", step)
        if body or step:
            self.changed(issue.id)
            issue = self.issue(issue.key)
        return self.subject(issue)

    def fields_of(self, issue: Issue, patch: Patch) -> dict[str, Any]:
        """What is written in place of what is there."""
        fields = custom_fields(patch.custom)
        if patch.title is not None:
            fields["summary"] = patch.title
        if patch.description is not None:
            fields["description"] = document(patch.description) if patch.description else None
        if patch.priority is not None:
            fields["priority"] = priority(patch.priority)
        if patch.assignee is not UNSET:
            fields["assignee"] = self.assignee(patch.assignee, issue.key.rpartition("-")[0])
        if patch.parent is not None:
            fields["parent"] = self.above(patch.parent)
        if patch.labels is not None:
            kept = [label for label in patch.labels if label not in patch.labels_remove]
            fields["labels"] = bare([*kept, *patch.labels_add])
        return fields

    def step(self, issue: Issue, status: str | None, native: str | None) -> dict[str, Any] | None:
        """The transition to a status, given as one of the five words or by its name; None if it is there.

        Raises:
            InvalidRequest: None leads there from where the issue is.
        """
        fields = issue.read()
        if native in {None, fields.status.name} and status in {None, self.bucket(fields)}:
            return None
        asked = {"expand": "transitions.fields"}
        path = f"/issue/{issue.key}/transitions"
        steps = self.api.get(path, asked, type=Transitions).data.transitions
        for step in steps:
            is_named = native is not None and step.to.name.lower() == native.lower()
            if is_named or (native is None and self.meaning(step.to).status == status):
                # Asked for only where Jira insists.
                insists = step.fields.get("resolution", {}).get("required")
                return taken_step(step, self.settings.done_as if insists else None)
        if status == "cancelled" and native is None:
            ends = [s for s in steps if s.to.category.key == "done" and "resolution" in s.fields]
            if ends:
                return taken_step(ends[0], self.settings.cancelled_as)
        ways = ", ".join(f"'{step.to.name}'" for step in steps) or "nothing"
        wanted = f"'{native}'" if native else f"{status}"
        raise InvalidRequest(
            f"status: {issue.key} does not get from '{fields.status.name}' to {wanted}; Jira offers {ways}"
        )


def changes_of(patch: Patch) -> dict[str, Any]:
    """What is added and taken away, one by one, so that two changes at once do not lose each other."""
    changes: dict[str, Any] = {}
    add, remove = bare(patch.labels_add), dict.fromkeys(patch.labels_remove)
    if patch.labels is None and (add or remove):
        gone = [{"remove": label} for label in remove if label not in add]
        changes["labels"] = [*gone, *({"add": label} for label in add)]
    if patch.comment:
        changes["comment"] = [{"add": {"body": document(patch.comment)}}]
    return changes


def taken_step(step: Transition, resolution: str | None) -> dict[str, Any]:
    fields = {"fields": {"resolution": {"name": resolution}}} if resolution else {}
    return {"transition": {"id": step.id}, **fields}


def priority(level: int | None) -> dict[str, str] | None:
    if level is not None and level > max(PRIORITIES):
        raise InvalidRequest(f"priority: {level} is none of 0 to 4")
    return {"name": PRIORITIES[level]} if level else None


def custom_fields(custom: dict[str, Any]) -> dict[str, Any]:
    """Jira's own fields, as they are; a null clears one."""
    names = {"due_date": "duedate"}
    for name in custom:
        if name not in names and not name.startswith("customfield_"):
            raise InvalidRequest(f"custom: '{name:.80}': expected due_date or customfield_NNNNN")
    return {names.get(name, name): value for name, value in custom.items()}


# ---- the plugin ---------------------------------------------------------------------------------

HEARING: Final = Hearing(
    "jira", lambda found: (found.secret, found.port), gone=b'"jira:issue_deleted"'
)
LOCK: Final = Lock()


def lifespan() -> Iterator[list[Jira]]:
    """Where the site is kept once a call has needed it: a ping needs no settings."""
    held: list[Jira] = []
    yield held
    for site in held:
        site.api.close()


def the_site(ctx: Context[list[Jira]], settings: Settings) -> Jira:
    with LOCK:
        if not ctx.state:
            ctx.state.append(Jira(settings))
        return ctx.state[0]


Site = Annotated[Jira, Depends(the_site)]

app = App(
    kind="subject_backend",
    name="animus-subject-jira",
    version="0.1.0",
    description="Issues of Jira Cloud",
    subject_kinds=[KIND],
    projections=["summary"],
    settings=Settings,
    env_required=NETWORK,
    lifespan=lifespan,
    concurrency=4,
)


app.watch_by_polling(every_s=lambda settings: settings.poll_s, woken_by=HEARING)


@app.method("subject/list")
def list_issues(filter: Query, site: Site) -> wire.SubjectList:
    return site.page(filter)


@app.method("subject/get")
def get_issue(id: str, site: Site, projection: Literal["full", "summary"] = "full") -> wire.Subject:
    return site.subject(site.issue(key_of(id), projection))


@app.method("subject/create")
def create_issue(new: wire.SubjectCreateRequest, site: Site, ctx: Context) -> wire.Subject:
    return site.create(new, ctx)


@app.method("subject/update")
def update_issue(id: str, patch: Patch, site: Site) -> wire.Subject:
    return site.update(key_of(id), patch)


@app.method("subject/status")
def set_status(id: str, status: str, site: Site) -> wire.Subject:
    """Move an issue: to one of the five words, or to a status by its name."""
    is_word = status in STATUS_WORDS
    patch = Patch(status=cast("Any", status)) if is_word else Patch(native_status=status)
    return site.update(key_of(id), patch)


@app.method("subject/next")
def next_issue(site: Site) -> wire.Subject | None:
    return site.next()


@app.method("subject/schema")
def schema(site: Site) -> wire.SubjectSchema:
    hints = site.statuses().hints()
    return wire.SubjectSchema(
        kinds=[KIND],
        status_values=[*STATUS_WORDS],
        native_status_values=[hint.native_status for hint in hints],
        status_dispatch_hints=hints,
        custom_fields=[wire.CustomFieldSpec(key="due_date", type="date")],
        supports_watch=True,
        supports_create=True,
        supports_pagination=True,
    )


@app.health
def health(site: Site) -> str | None:
    """Why nothing can be asked now, which goes by; what is wrong with the token is raised."""
    trouble = site.api.trouble()
    if trouble is None:
        try:
            site.api.get("/myself", timeout_s=HEALTH_S)
        except (Unavailable, QuotaExceeded) as problem:
            return problem.message
    return trouble


if __name__ == "__main__":
    app.run()
