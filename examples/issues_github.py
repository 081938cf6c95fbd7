"""GitHub's issues as subjects, of one repository or several. Install this file as it is.

    python issues_github.py      a host starts it, or you with `--manifest`

GITHUB_TOKEN and GITHUB_REPOS (`owner/repo,owner/other`) are all it needs. An id is
`github:owner/repo#789`.

An open issue is ready, unless it has a label that says otherwise: `blocked` or `in-progress`, or one of
your own in GITHUB_STATUS_MAP, with a label that workflows wait for if you like. Of several labels the
first in the map counts, and of those for one status the first is written:
`{"doing": "in-progress", "in review": {"status": "in-progress", "dispatch_label": "code-review"}}`.
A closed issue is done, or cancelled if it was closed as not planned or as a duplicate. `priority:high`
and its like are priorities.

Who watches hears of changes by asking once a minute (GITHUB_POLL_S); what has not changed costs nothing
of GitHub's limits. With GITHUB_WEBHOOK_SECRET and GITHUB_WEBHOOK_PORT, GitHub's webhooks are listened for
on 127.0.0.1 as well, and make it ask at once.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from typing import Annotated, Any, Final, get_args
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from animus_routes import (
    App,
    Context,
    Depends,
    Env,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from animus_routes.batteries.api import NETWORK, Answer, Api
from animus_routes.batteries.paging import cursor_of, read_cursor
from animus_routes.batteries.statuses import Statuses, StatusMap
from animus_routes.batteries.trackers import Created, Hearing, answered_at
from animus_routes.structs import subject as wire
from animus_routes.timestamps import parse

import msgspec
from msgspec import Meta, Struct

KIND: Final = "github"
ID: Final = re.compile(r"(?:github:)?([\w.-]+/[\w.-]+)#([1-9][0-9]{0,17})", re.ASCII)
PER_PAGE: Final = 100  # the most there is; a cursor counts on pages of one size
USUAL: Final = 100  # subjects of a list that is not told how many
MOST: Final = 1000
MOST_REQUESTS: Final = 40  # for one call of a list
TRIES: Final = 5  # to find two pages while nothing moves
HEALTH_S: Final = 0.8
CLOSED: Final = {"completed": "done", "not_planned": "cancelled", "duplicate": "cancelled"}
STATES: Final = {
    "open": "ready",
    **{f"closed:{reason}": status for reason, status in CLOSED.items()},
}
CLOSING: Final = {
    f"closed:{reason}": {"state": "closed", "state_reason": reason} for reason in CLOSED
}
STATUSES: Final[tuple[wire.SubjectStatus, ...]] = get_args(wire.SubjectStatus)
LABELS: Final[StatusMap] = {"blocked": "blocked", "in-progress": "in-progress"}
PRIORITIES: Final = {
    f"priority:{n}": i for i, n in enumerate(("low", "medium", "high", "critical"), 1)
}
ANYBODY: Final = ("*", "none")  # as assignees, these are GitHub's words for something else
FIELDS: Final = {"title": "title", "description": "body", "labels": "labels"}
SETTABLE: Final[dict[str, type]] = {"milestone": int, "type": str}  # of the custom fields
SUMMARY: Final = "summary"  # a projection: subjects without their texts and custom fields


class Settings(Struct):
    """What the environment says."""

    token: Annotated[str, Env("GITHUB_TOKEN", "With the right to issues", sensitive=True)]
    repos: Annotated[
        list[Annotated[str, Meta(pattern=r"^[\w.-]+/[\w.-]+$")]],
        Meta(min_length=1),
        Env("GITHUB_REPOS", "`owner/repo`, with commas"),
    ]
    api_url: Annotated[str, Env("GITHUB_API_URL")] = "https://api.github.com"
    status_map: Annotated[StatusMap, Env("GITHUB_STATUS_MAP", "JSON: labels with statuses")] = (
        msgspec.field(default_factory=LABELS.copy)
    )
    priorities: Annotated[
        dict[str, int], Env("GITHUB_PRIORITY_LABELS", "JSON: labels with 1 (low) to 4 (critical)")
    ] = msgspec.field(default_factory=PRIORITIES.copy)
    poll_s: Annotated[
        float, Meta(gt=0), Env("GITHUB_POLL_S", "Seconds between two looks of a watch")
    ] = 60.0
    secret: Annotated[str, Env("GITHUB_WEBHOOK_SECRET", sensitive=True)] = ""
    port: Annotated[int, Env("GITHUB_WEBHOOK_PORT", "Where webhooks are listened for")] = 0


# What GitHub answers, as far as it is used here ---------------------------------------------------


class User(Struct):
    login: str


class Label(Struct):
    name: str | None = None


class Milestone(Struct):
    number: int


class Type(Struct):
    name: str


class Children(Struct):
    total: int = 0


class Event(Struct):
    action: str = ""


class Issue(Struct, kw_only=True):
    id: int
    number: int
    title: str
    state: str
    state_reason: str | None = None
    body: str | None = None
    html_url: str
    repository_url: str
    created_at: str
    updated_at: str
    labels: list[Label | str] = []
    assignees: list[User] | None = None
    user: User | None = None
    milestone: Milestone | None = None
    type: Type | None = None
    comments: int = 0
    locked: bool = False
    pull_request: dict[str, Any] | None = None
    parent_issue_url: str | None = None
    sub_issues_summary: Children | None = None

    @property
    def label_names(self) -> list[str]:
        names = (label if isinstance(label, str) else label.name for label in self.labels)
        return [name for name in names if name]

    @property
    def logins(self) -> list[str]:
        return [user.login for user in self.assignees or ()]

    @property
    def home(self) -> str:
        """The repository that it is in."""
        return "/".join(self.repository_url.split("/")[-2:])


# Lists, which others change while they are read ---------------------------------------------------


class Place(Struct):
    """How far a list was read: what a cursor stands for.

    Issues come in the order in which they were created, which nothing changes. `at` is what GitHub adds
    to the query for the page, `second` when the last issue that was passed was created, and `seen` has the
    numbers of that second.
    """

    repo: str
    at: dict[str, str] = {}
    second: str = ""
    seen: list[int] = []

    @property
    def is_counted(self) -> bool:
        """Is the page the n-th? If not, GitHub knows by itself where it begins."""
        return "page" in self.at and "after" not in self.at

    def is_ahead(self, issue: Issue) -> bool:
        if issue.created_at == self.second:
            return issue.number not in self.seen
        return issue.created_at > self.second

    def pass_by(self, issue: Issue) -> None:
        if issue.created_at != self.second:
            self.second, self.seen = issue.created_at, []
        self.seen = [*self.seen, issue.number]


class Page(Struct):
    """One page of GitHub's; `next` and `before` are `Place.at` of its neighbours."""

    issues: list[Issue]
    next: dict[str, str] | None
    before: dict[str, str] | None


class Reading:
    """A list that is being read: one repository after the other, from a place on.

    Args:
        api: To be asked.
        repos: In their order.
        asked: What is asked of GitHub.
        place: Where to begin; it moves along.
    """

    def __init__(self, api: Api, repos: list[str], asked: dict[str, Any], place: Place) -> None:
        self.place = place
        self.is_over = False
        self.fetched_at: str | None = None
        self._api, self._repos = api, repos
        self._asked = {name: value for name, value in asked.items() if value is not None}
        self._left = MOST_REQUESTS

    def issues(self) -> Iterator[tuple[str, Issue]]:
        """What is ahead, without pull requests, until it is over or enough for one call."""
        for repo in self._repos[self._repos.index(self.place.repo) :]:
            if repo != self.place.repo:
                self.place = Place(repo)
            page: Page | None = self._begin()
            while page is not None:
                for issue in filter(self.place.is_ahead, page.issues):
                    self.place.pass_by(issue)
                    if issue.pull_request is None:
                        yield repo, issue
                if self._left <= 0:
                    return
                page = self._after(page)
        self.is_over = True

    def _begin(self) -> Page:
        """The page of the place; an earlier one if what was passed has moved there."""
        page = self._page(self.place.at)
        while self.place.is_counted and all(map(self.place.is_ahead, page.issues)):
            self.place.at = page.before or {}
            page = self._page(self.place.at)
        return page

    def _after(self, page: Page) -> Page | None:
        """The page after one that was passed.

        Where pages are counted, an issue that leaves the list moves the rest up. So the next one is as good
        as the one before it is still the same, which is asked on condition: that costs nothing.
        """
        for _ in range(TRIES):
            if page.next is None:
                return None
            found, here = self._page(page.next), self.place.at
            self.place.at = page.next
            if not self.place.is_counted:
                return found
            again = self._page(here)
            if [one.number for one in again.issues] == [one.number for one in page.issues]:
                return found
            self.place.at, page = here, again
            if any(map(self.place.is_ahead, page.issues)):
                return page
        self._left = 0  # it is never still: the next call goes on from here
        return page

    def _page(self, at: dict[str, str]) -> Page:
        self._left -= 1
        path = f"/repos/{self.place.repo}/issues"
        try:
            answer = self._api.get(path, {**self._asked, **at}, type=list[Issue])
        except NotFound as problem:
            text = f"{self.place.repo}, or the token may not see its issues ({problem.message})"
            raise NotFound(text) from problem
        self.fetched_at = self.fetched_at or answered_at(answer.headers)
        return Page(answer.data, self._link(answer, "next"), self._link(answer, "prev"))

    def _link(self, answer: Answer[Any], rel: str) -> dict[str, str] | None:
        """What GitHub puts into the query of another page, beside what was asked."""
        if rel not in answer.links:
            return None
        query = parse_qsl(urlsplit(answer.links[rel]).query)
        return {name: value for name, value in query if name not in self._asked}


# The backend --------------------------------------------------------------------------------------


class GitHub:
    """The issues of some repositories."""

    def __init__(self, settings: Settings) -> None:
        self.statuses = Statuses(STATES).changed(settings.status_map)
        self.repos = list(dict.fromkeys(settings.repos))
        self.priorities = settings.priorities
        self.words = [hint.native_status for hint in self.statuses.hints()]
        self.labels = [word for word in self.words if word not in STATES]
        headers = {
            "authorization": f"Bearer {settings.token}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
        }
        self.api = Api("GitHub", settings.api_url, headers)

    # Ids, statuses, subjects ----------------------------------------------------------------------

    def locate(self, id: str) -> tuple[str, int]:
        """The repository and the number of an id."""
        found = ID.fullmatch(id)
        if found is None:
            raise InvalidRequest(f"'{id:.80}' is no id here: they are like github:owner/repo#789")
        repo = next((one for one in self.repos if one.lower() == found[1].lower()), None)
        if repo is None:
            raise NotFound(f"subject '{id}': {found[1]} is not in GITHUB_REPOS")
        return repo, int(found[2])

    def native(self, issue: Issue) -> str:
        """GitHub's word for how far it is, or the label that says so."""
        if issue.state == "closed":
            return f"closed:{issue.state_reason if issue.state_reason in CLOSED else 'completed'}"
        names = {name.lower() for name in issue.label_names}
        return next((label for label in self.labels if label.lower() in names), "open")

    def word_for(self, status: str) -> str:
        """What to write for a status: a state of GitHub's own, or else the first label that means it.

        Such a word itself is written as it is.
        """
        found = self.statuses.natives(status)
        if not found and status in self.words:
            return status
        if not found:
            known = ", ".join([*STATUSES, *self.words])
            raise InvalidRequest(
                f"status: '{status:.40}' is none of {known}, or means nothing here"
            )
        return next((word for word in found if word in STATES), found[0])

    def subject(self, repo: str, issue: Issue) -> wire.Subject:
        native = self.native(issue)
        levels = [self.priorities[name] for name in issue.label_names if name in self.priorities]
        parent = (issue.parent_issue_url or "").rpartition("/repos/")[2].replace("/issues/", "#")
        custom = {
            "repository": repo,
            "number": issue.number,
            "author": issue.user and issue.user.login,
            "assignees": issue.logins,
            "milestone": issue.milestone and issue.milestone.number,
            "type": issue.type and issue.type.name,
            "comments": issue.comments,
            "locked": issue.locked,
        }
        return wire.Subject(
            id=f"{KIND}:{repo}#{issue.number}",
            kind=KIND,
            title=issue.title,
            description=issue.body or None,
            status=self.statuses.status(native),
            native_status=native,
            priority=max(levels, default=None),
            labels=issue.label_names,
            assignee=next(iter(issue.logins), None),
            url=issue.html_url,
            parent=f"{KIND}:{parent}" if parent else None,
            created_at=issue.created_at,
            updated_at=issue.updated_at,
            custom={name: value for name, value in custom.items() if value is not None},
        )

    # Reading --------------------------------------------------------------------------------------

    def issue(self, repo: str, number: int) -> Issue:
        name = f"issue '{KIND}:{repo}#{number}'"
        try:
            found = self.api.get(f"/repos/{repo}/issues/{number}", type=Issue).data
        except NotFound as problem:
            raise NotFound(f"{name}, or the token may not see it ({problem.message})") from problem
        if found.home.lower() not in {repo.lower(), self.called_now(repo)}:
            raise NotFound(f"{name}: it is '{KIND}:{found.home}#{found.number}' now")
        if found.pull_request is not None:
            raise NotFound(f"{name}: it is a pull request")
        return found

    def some(self, repo: str, timeout_s: float | None = None) -> list[Issue]:
        """The first of a repository, pull requests too: where nothing is changed, that costs nothing."""
        asked: dict[str, str | int | None] = {"state": "all", "sort": "created", "per_page": 1}
        asked["direction"] = "asc"
        return self.api.get(
            f"/repos/{repo}/issues", asked, type=list[Issue], timeout_s=timeout_s
        ).data

    def called_now(self, repo: str) -> str | None:
        """The name, in lower case, of a repository that may have been renamed; lists follow it."""
        return next((issue.home.lower() for issue in self.some(repo)), None)

    def get(self, repo: str, number: int) -> wire.Subject:
        issue = self.issue(repo, number)
        found = self.subject(repo, issue)
        if issue.sub_issues_summary is not None and issue.sub_issues_summary.total:
            path = f"/repos/{repo}/issues/{number}/sub_issues"
            below = self.api.get(path, {"per_page": PER_PAGE}, type=list[Issue]).data
            found.children = [f"{KIND}:{child.home}#{child.number}" for child in below]
        return found

    def listed(self, wanted: wire.SubjectFilter) -> wire.SubjectList:
        words = self.statuses.wanted(wanted)
        if words == set() or KIND not in (wanted.kind or [KIND]) or wanted.has_attachment_kind:
            return wire.SubjectList(subjects=[])
        place = Place(self.repos[0])
        if wanted.cursor is not None:
            place = read_cursor(wanted.cursor, Place)
            if place.repo not in self.repos:
                raise InvalidRequest(f"cursor: {place.repo} is not in GITHUB_REPOS")
        reading = Reading(self.api, self.repos, self.asked(wanted, words), place)
        size = USUAL if wanted.limit is None else max(1, min(wanted.limit, MOST))
        found: list[wire.Subject] = []
        for repo, issue in reading.issues():
            subject = self.subject(repo, issue)
            if self.statuses.matches(wanted, subject):
                found.append(subject)
            if len(found) == size:
                break
        more = None if reading.is_over else cursor_of(reading.place)
        listed = wire.SubjectList(subjects=found, next_cursor=more)
        listed.fetched_at = reading.fetched_at or listed.fetched_at
        return listed

    def asked(self, wanted: wire.SubjectFilter, words: set[str] | None) -> dict[str, Any]:
        """What GitHub can sort out itself; the rest of a filter is for us."""
        states = {"closed" if word.startswith("closed:") else "open" for word in words or ()}
        labels = [*wanted.labels_all, *(wanted.labels_any if len(wanted.labels_any) == 1 else ())]
        if words is not None and len(words) == 1:
            labels += words.intersection(self.labels)
        labels = [label for label in labels if label and "," not in label]
        assignee = wanted.assignee[0] if len(wanted.assignee) == 1 else ANYBODY[0]
        since = wanted.updated_since
        return {
            "state": states.pop() if len(states) == 1 else "all",
            "labels": ",".join(labels) or None,
            "assignee": None if assignee in ANYBODY else assignee,
            "since": since and parse(since).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sort": "created",
            "direction": "asc",
            "per_page": PER_PAGE,
        }

    def next(self) -> wire.Subject | None:
        """The most urgent issue that is ready; of several, the oldest."""
        ready = self.listed(wire.SubjectFilter(status=["ready"], limit=MOST)).subjects
        return max(ready, key=lambda subject: subject.priority or 0, default=None)

    # Writing --------------------------------------------------------------------------------------

    def create(self, given: wire.SubjectCreateRequest, ctx: Context[Any]) -> wire.Subject:
        custom = dict(given.custom)
        repo, _ = self.locate(f"{KIND}:{custom.pop('repository', self.repos[0])}#1")
        above = None if given.parent is None else self.issue(*self.locate(given.parent))
        native = self.word_for(given.status or "ready")
        labels = [*given.labels, *self.level(given.priority), *self.labels_of(native)]
        fields = {"title": given.title, **settable(custom)}
        if given.description:
            fields["body"] = given.description
        if labels:
            fields["labels"] = list(dict.fromkeys(labels))
        if given.assignee:
            self.check_assignee(repo, given.assignee)
            fields["assignees"] = [given.assignee]
        made = self.api.post(f"/repos/{repo}/issues", fields, type=Issue).data
        tell_dropped(fields, made, ctx)
        name = f"{repo}#{made.number}"
        if above is not None:
            place = f"/repos/{above.home}/issues/{above.number}/sub_issues"
            with Created(name, ctx):
                self.api.post(place, {"sub_issue_id": made.id})
        if native in CLOSING:
            place = f"/repos/{repo}/issues/{made.number}"
            with Created(name, ctx):
                made = self.api.patch(place, CLOSING[native], type=Issue).data
        with Created(name, ctx):
            return self.get(repo, made.number)
        return self.subject(repo, made)

    def update(self, repo: str, number: int, patch: wire.SubjectPatch) -> wire.Subject:
        """Everything is checked before anything is written. Labels go one by one: PATCH would set all."""
        changes = patch.changes()
        fields = settable(patch.custom)
        fields |= {FIELDS[name]: value for name, value in changes.items() if name in FIELDS}
        if changes.get("assignee"):
            self.check_assignee(repo, changes["assignee"])
        add, remove = [*patch.labels_add, *self.level(patch.priority)], [*patch.labels_remove]
        issue = self.issue(repo, number)
        labels = issue.label_names if patch.labels is None else patch.labels
        if patch.priority is not None:
            remove += [label for label in labels if label in self.priorities]
        if patch.status is not None:
            native = self.word_for(patch.status)
            fields |= self.moving(repo, issue, native)
            add += self.labels_of(native)
            remove += self.status_labels(labels)
        place = f"/repos/{repo}/issues/{number}"
        if fields:
            self.api.patch(place, fields)
        self.relabel(place, add, remove)
        if "assignee" in changes:
            self.reassign(place, issue, changes["assignee"])
        if patch.comment:
            self.api.post(f"{place}/comments", {"body": patch.comment})
        return self.get(repo, number)

    def move(self, repo: str, number: int, status: str) -> wire.Subject:
        """To a status of the host's, or to a word of GitHub's own."""
        native = self.word_for(status)
        issue = self.issue(repo, number)
        place = f"/repos/{repo}/issues/{number}"
        if fields := self.moving(repo, issue, native):
            self.api.patch(place, fields)
        self.relabel(place, self.labels_of(native), self.status_labels(issue.label_names))
        return self.get(repo, number)

    def moving(self, repo: str, issue: Issue, native: str) -> dict[str, str]:
        """What brings an issue there, beside labels."""
        if native not in CLOSING:
            return {"state": "open"} if issue.state == "closed" else {}
        if issue.state == "closed" and self.native(issue) != native:
            # The reason counts only where the state changes.
            self.api.patch(f"/repos/{repo}/issues/{issue.number}", {"state": "open"})
        return CLOSING[native] if self.native(issue) != native else {}

    def relabel(self, place: str, add: list[str], remove: list[str]) -> None:
        if add:
            self.api.post(f"{place}/labels", {"labels": list(dict.fromkeys(add))})
        kept = {label.lower() for label in add}
        for label in dict.fromkeys(remove):
            if label.lower() not in kept:
                with suppress(NotFound):  # it is not on it, or no longer
                    self.api.delete(f"{place}/labels/{quote(label, safe='')}")

    def reassign(self, place: str, issue: Issue, login: str | None) -> None:
        if login:
            self.api.post(f"{place}/assignees", {"assignees": [login]})
        gone = [one for one in issue.logins if one.lower() != (login or "").lower()]
        if gone:
            self.api.delete(f"{place}/assignees", {"assignees": gone})

    def check_assignee(self, repo: str, login: str) -> None:
        """GitHub leaves out whom it does not know, and says nothing."""
        try:
            self.api.get(f"/repos/{repo}/assignees/{quote(login, safe='')}")
        except NotFound:
            raise InvalidRequest(f"assignee: '{login}' cannot be assigned in {repo}") from None

    def level(self, priority: int | None) -> list[str]:
        """The label of a priority."""
        if not priority:
            return []
        found = [label for label, level in self.priorities.items() if level == priority]
        if not found:
            raise InvalidRequest(f"priority: GITHUB_PRIORITY_LABELS has no label for {priority}")
        return found[:1]

    def labels_of(self, native: str) -> list[str]:
        return [native] if native in self.labels else []

    def status_labels(self, names: list[str]) -> list[str]:
        words = {label.lower() for label in self.labels}
        return [name for name in names if name.lower() in words]


def settable(custom: dict[str, Any]) -> dict[str, Any]:
    """Custom fields, if they can be set."""
    for name, value in custom.items():
        if name not in SETTABLE or not isinstance(value, SETTABLE[name] | None):
            kinds = ", ".join(f"{name} ({kind.__name__})" for name, kind in SETTABLE.items())
            raise InvalidRequest(f"custom.{name}: what can be set is {kinds}, or null")
    return custom


def tell_dropped(fields: dict[str, Any], made: Issue, ctx: Context[Any]) -> None:
    """Without the right to push, GitHub takes an issue and leaves out what its author may not set."""
    there = {
        "labels": made.label_names,
        "assignees": made.logins,
        "milestone": made.milestone,
        "type": made.type,
    }
    dropped = [name for name, value in there.items() if fields.get(name) and not value]
    if dropped:
        what = ", ".join(dropped)
        ctx.log("warn", f"GitHub left out {what}: the token may not set it", issue=made.html_url)


# The plugin ---------------------------------------------------------------------------------------


def lifespan(settings: Settings) -> Iterator[GitHub]:
    github = GitHub(settings)
    yield github
    github.api.close()


def the_backend(ctx: Context[GitHub]) -> GitHub:
    return ctx.state


Here = Annotated[GitHub, Depends(the_backend)]

app = App(
    kind="subject_backend",
    name="animus-subject-github",
    version="0.1.0",
    description="GitHub's issues, of one repository or several",
    subject_kinds=[KIND],
    projections=[SUMMARY],
    settings=Settings,
    env_required=NETWORK,
    lifespan=lifespan,
    concurrency=8,
)


def is_gone(body: bytes) -> bool:
    """Does a delivery, as JSON or as a form, tell of an issue that is not there any more?"""
    text = parse_qs(body.decode("utf-8", "replace")).get("payload", [body])[0]
    try:
        return msgspec.json.decode(text, type=Event).action in {"deleted", "transferred"}
    except (msgspec.DecodeError, RecursionError):
        return False


HEARING: Final = Hearing("github", lambda found: (found.secret, found.port), gone=is_gone)
app.watch_by_polling(every_s=lambda settings: settings.poll_s, woken_by=HEARING)


@app.method("subject/list")
def list_issues(filter: wire.SubjectFilter, ctx: Context, github: Here) -> wire.SubjectList:
    """What GitHub has, in the order of its creation."""
    found = github.listed(filter)
    if ctx.params.get("projection") == SUMMARY:
        for subject in found.subjects:
            subject.description, subject.custom = None, {}
    return found


@app.method("subject/get")
def get_issue(id: str, github: Here) -> wire.Subject:
    return github.get(*github.locate(id))


@app.method("subject/create")
def create_issue(issue: wire.SubjectCreateRequest, ctx: Context, github: Here) -> wire.Subject:
    made = github.create(issue, ctx)
    HEARING.changed()
    return made


@app.method("subject/update")
def update_issue(id: str, patch: wire.SubjectPatch, github: Here) -> wire.Subject:
    changed = github.update(*github.locate(id), patch)
    HEARING.changed()
    return changed


@app.method("subject/status")
def set_status(id: str, status: str, github: Here) -> wire.Subject:
    moved = github.move(*github.locate(id), status)
    HEARING.changed()
    return moved


@app.method("subject/next")
def next_issue(github: Here) -> wire.Subject | None:
    return github.next()


@app.method("subject/schema")
def schema(github: Here) -> wire.SubjectSchema:
    hints = github.statuses.hints()
    return wire.SubjectSchema(
        kinds=[KIND],
        status_values=[*STATUSES],
        supports_pagination=True,
        supports_watch=True,
        supports_create=True,
        custom_fields=[
            wire.CustomFieldSpec(key="repository", type="enum", values=github.repos),
            wire.CustomFieldSpec(key="milestone", type="number"),
            wire.CustomFieldSpec(key="type", type="string"),
        ],
        native_status_values=[hint.native_status for hint in hints],
        status_dispatch_hints=hints,
    )


@app.health
def health(ctx: Context[GitHub | None]) -> str | None:
    """Why nothing can be asked now, which goes by; what is wrong with the token is raised.

    What GitHub says of its limits costs nothing of them. An Enterprise Server without limits has none.
    """
    github = ctx.state
    if github is None:
        return None
    trouble = github.api.trouble()
    if trouble is None:
        try:
            try:
                github.api.get("/rate_limit", timeout_s=HEALTH_S)
            except NotFound:
                github.some(github.repos[0], HEALTH_S)
        except (Unavailable, QuotaExceeded) as problem:
            return problem.message
    return trouble


if __name__ == "__main__":
    app.run()
