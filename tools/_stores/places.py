"""Where the stores of a measurement are, and plugins that serve them."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from _stores.filling import EXAMPLES, NAME, SQL, file_of, fill
from animus_routes.host import Plugin

ENVIRONMENT: Final = {
    "PYTHONPATH": str(EXAMPLES.parent),
    "ANIMUS_APPRISE_URL": "json://127.0.0.1:9",  # the notifier's: nothing is due, so nothing goes there
}


@dataclass(frozen=True)
class Place:
    """A store of an example: a project, and a database if it is not in that."""

    example: str
    project: Path
    url: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        prefix = SQL.get(self.example)
        if prefix is None:
            return ENVIRONMENT
        url = {f"{prefix}_URL": self.url} if self.url else {}
        return {**ENVIRONMENT, f"{prefix}_NAME": NAME, **url}

    def command(self) -> list[str]:
        return [sys.executable, str(EXAMPLES / f"{self.example}.py")]

    @contextmanager
    def served(self) -> Iterator[Plugin]:
        with Plugin.start(self.command(), cwd=self.project, env=self.environment) as plugin:
            self.greet(plugin)
            yield plugin

    def greet(self, plugin: Plugin) -> None:
        # A memory that is bound to a project sees that alone; the others find their store below it.
        bound = {"project_binding": {"project_root": str(self.project)}}
        plugin.initialize(bound if self.example in SQL else None)


@dataclass(frozen=True)
class Places:
    """Makes stores, each filled once for its size and copied from then on."""

    folder: Path
    server: str | None
    databases: tuple[str, ...]
    _filled: dict[tuple[str, str, int], Path | str] = field(default_factory=dict)

    def kinds(self, example: str) -> list[str]:
        return [kind for kind in self.databases if kind == "sqlite" or example in SQL]

    def make(self, example: str, kind: str, rows: int) -> Place:
        """A store of one's own with so many rows."""
        key = (example, kind, rows)
        project = self.folder / uuid4().hex
        (project / ".animus").mkdir(parents=True)
        if kind == "sqlite":
            if key not in self._filled:
                first = self.folder / f"{example}-{rows}.sqlite3"
                fill(example, first, rows)
                self._filled[key] = first
            shutil.copyfile(self._filled[key], project / ".animus" / file_of(example))
            return Place(example, project)
        name = f"bench_{uuid4().hex}"
        if key not in self._filled:
            self._create(name)
            fill(example, self._url(name), rows)
            self._filled[key] = name
            name = f"bench_{uuid4().hex}"
        self._create(name, template=str(self._filled[key]))
        return Place(example, project, self._url(name))

    def _url(self, name: str) -> str:
        assert self.server is not None
        return self.server.replace("/postgres?", f"/{name}?")

    def _create(self, name: str, template: str = "template0") -> None:
        import psycopg

        assert self.server is not None
        with psycopg.connect(self.server, autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
