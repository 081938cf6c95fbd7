"""What type checkers say of classes that `app.include` takes, for msgspec Structs.

Checked by mypy and pyright with the rest of the tree; nothing here runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from animus_routes import Context
from animus_routes.backends.structs import FullSubjectBackend, Provider, SubjectBackend
from animus_routes.structs import provider, subject


class Typed:
    def list(self, params: subject.SubjectFilter) -> subject.SubjectList:
        return subject.SubjectList(subjects=[])

    def get(self, params: subject.SubjectGetRequest, ctx: Context[int]) -> subject.Subject | None:
        return None


class Dicts:
    def list(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        return []

    async def get(self, params: dict[str, Any], ctx: Context) -> dict[str, Any]:
        return {}


class AllButUpdate(Typed):
    def create(self, params: subject.SubjectCreateRequest) -> dict[str, Any]:
        return {}

    def status(self, params: subject.SubjectStatusRequest) -> subject.Subject | None:
        return None

    def next(self, params: subject.SubjectNextRequest) -> None:
        return None

    def delete(self, params: subject.DeleteSubjectRequest) -> bool:
        return True

    def schema(self) -> subject.SubjectSchema:
        return subject.SubjectSchema(
            kinds=[],
            status_values=[],
            supports_create=False,
            supports_delete=False,
            supports_pagination=False,
            supports_watch=False,
        )

    def watch(self, params: subject.SubjectWatchRequest) -> Iterator[subject.SubjectChangedEvent]:
        yield from ()

    def unwatch(self, params: subject.SubjectUnwatchRequest) -> None: ...


class Owned:
    """What is done on behalf of somebody."""

    def v2_list(self, request: subject.SubjectListRequestV2) -> list[Any]:
        return [request.context.actor.user_id]

    def v2_get(self, request: subject.SubjectGetRequestV2) -> subject.Subject | None:
        return None

    def v2_create(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def v2_update(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def v2_status(self, request: subject.SubjectStatusRequestV2, ctx: Context) -> None: ...

    def v2_delete(self, request: subject.SubjectDeleteRequestV2) -> bool:
        return bool(request.id)


class Complete(Owned, AllButUpdate):
    async def update(self, params: subject.SubjectUpdateRequest) -> subject.Subject | None:
        return None


class Agent:
    async def run(self, request: provider.AgentRunRequest) -> AsyncIterator[str]:
        yield request.prompt


class Echo:
    def run(self, request: provider.AgentRunRequest) -> str:
        return request.prompt


class Nothing: ...


class WrongParams:
    def list(self, params: subject.SubjectFilter) -> subject.SubjectList:
        return subject.SubjectList(subjects=[])

    def get(self, params: subject.SubjectFilter) -> None: ...


class WrongResult:
    def list(self) -> int:
        return 1

    def get(self) -> None: ...


class WrongUpdate(Owned, AllButUpdate):
    def update(self, params: subject.SubjectUpdateRequest) -> str:
        return ""


def serve(backend: SubjectBackend) -> None: ...


def serve_all(backend: FullSubjectBackend) -> None: ...


def run(backend: Provider) -> None: ...


def check(complete: FullSubjectBackend) -> None:
    serve(Typed())
    serve(Dicts())
    serve(complete)
    serve_all(Complete())
    run(Agent())
    run(Echo())
    serve(Nothing())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    serve(WrongParams())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    serve(WrongResult())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    serve(Agent())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    serve_all(WrongUpdate())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    serve_all(Typed())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    run(Typed())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
