"""Calls of the plugin for GitHub's issues, for its tests."""

import json
import sys
from typing import Any

from example_host import EXAMPLES
from github_server import TOKEN, GitHub

from animus_routes.host import Plugin

COMMAND = [sys.executable, str(EXAMPLES / "issues_github.py")]
MAP = {
    "blocked": "blocked",
    "in-progress": "in-progress",
    "in review": {"status": "in-progress", "dispatch_label": "code-review"},
}


def variables(there: GitHub, **more: str) -> dict[str, str]:
    """What the environment says."""
    given = {"TOKEN": TOKEN, "REPOS": "o/r,o/two", "API_URL": there.url}
    given |= {"STATUS_MAP": json.dumps(MAP), **more}
    return {f"GITHUB_{name}": value for name, value in given.items()}


def listed(plugin: Plugin, **query: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    while True:
        page = plugin.call("github/list", query)
        found += page["subjects"]
        if "next_cursor" not in page:
            return found
        query["cursor"] = page["next_cursor"]


def ids(subjects: list[dict[str, Any]]) -> list[str]:
    return [subject["id"].removeprefix("github:") for subject in subjects]


def update(plugin: Plugin, number: int, **patch: Any) -> dict[str, Any]:
    found: dict[str, Any] = plugin.call(
        "github/update", {"id": f"github:o/r#{number}", "patch": patch}
    )
    return found
