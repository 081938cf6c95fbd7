"""The conversations example on each database, with a conversation for messages with a key."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from example_apps import example_app
from keyed_messages import KIM, Told
from sql_databases import postgres

from animus_routes.testing import TestClient


@pytest.fixture(scope="session")
def chats_server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def chats_env(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The environment of every host of one store."""
    if request.param == "sqlite":
        return {}
    return {"ANIMUS_CONVERSATIONS_URL": request.getfixturevalue("chats_server")}


@pytest.fixture
def keyed_chats(
    tmp_path: Path, chats_env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    monkeypatch.chdir(tmp_path)
    for name, value in chats_env.items():
        monkeypatch.setenv(name, value)
    with TestClient(example_app("conversations_sql")) as client:
        yield client


@pytest.fixture
def own_scope(tmp_path: Path) -> Told:
    """What the newest hosts say with every call; a repository of the test's own."""
    own = {"project_root": str(tmp_path), "repo_scope": str(uuid4())}
    return {**own, "actor": KIM, "tenant_id": "acme", "as_user": "kim"}


@pytest.fixture
def key(keyed_chats: TestClient, own_scope: Told) -> Told:
    """The key of a message in a conversation that is there."""
    keyed_chats.call("conversation/create", {**own_scope, "id": "c-1", "owner": "kim"})
    return {**own_scope, "conversation_id": "c-1", "caller_key": "send-1"}
