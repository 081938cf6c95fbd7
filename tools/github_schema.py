"""What GitHub's own description says of the requests that `examples/issues_github.py` makes.

    python tools/github_schema.py           fetch the npm package, write tests/data/github/
    python tools/github_schema.py --check   the same, and fail if what is there differs

The package is npm `@octokit/openapi` (MIT), in the version below. The operations below are taken with
every schema that they reach, in the form of JSON Schema (`nullable` is a type of its own there), without
descriptions and examples. The tests' server holds each request and each answer against it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = "@octokit/openapi"
VERSION: Final = "23.0.2"
DOCUMENT: Final = "package/generated/api.github.com.json"
PLACE: Final = Path(__file__).resolve().parents[1] / "tests" / "data" / "github"
ISSUES: Final = "/repos/{owner}/{repo}/issues"
ISSUE: Final = f"{ISSUES}/{{issue_number}}"
OPERATIONS: Final = {
    ISSUES: ("get", "post"),
    ISSUE: ("get", "patch"),
    f"{ISSUE}/labels": ("post",),
    f"{ISSUE}/labels/{{name}}": ("delete",),
    f"{ISSUE}/assignees": ("post", "delete"),
    f"{ISSUE}/comments": ("post",),
    f"{ISSUE}/sub_issues": ("get", "post"),
    "/repos/{owner}/{repo}/assignees/{assignee}": ("get",),
    "/rate_limit": ("get",),
}
ALSO: Final = ("basic-error", "validation-error")  # of refusals that no operation lists
LEFT_OUT: Final = frozenset(
    {
        "deprecated",
        "description",
        "example",
        "examples",
        "externalDocs",
        "operationId",
        "readOnly",
        "summary",
        "tags",
    }
)
BY_NAME: Final = frozenset({"properties", "schemas", "responses", "parameters", "headers"})
Json = Any


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="GitHub's description of its issues, reduced")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it differs")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        whole, licence = fetched(Path(folder))
    if whole["info"]["version"] != VERSION:
        print(f"the document is of {whole['info']['version']}, not {VERSION}", file=sys.stderr)
        return 1
    files = {
        "openapi.json": json.dumps(reduced(whole), indent=1, sort_keys=True) + "\n",
        "LICENSE": f"openapi.json is from npm {PACKAGE} {VERSION}, reduced.\n\n{licence.strip()}\n",
    }
    differing = [name for name, text in files.items() if read(PLACE / name) != text]
    if options.check:
        for name in differing:
            print(f"{PLACE / name} differs from {PACKAGE} {VERSION}", file=sys.stderr)
        return 1 if differing else 0
    PLACE.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (PLACE / name).write_text(text, "utf-8")
    print(f"{PACKAGE} {VERSION}: {len(differing)} of {len(files)} files written anew")
    return 0


def read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def fetched(folder: Path) -> tuple[dict[str, Json], str]:
    """The document of the published package, and the package's licence."""
    command = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    with tarfile.open(folder / done.stdout.strip().splitlines()[-1]) as package:
        texts = [package.extractfile(name) for name in (DOCUMENT, "package/LICENSE")]
        document, licence = (text.read() for text in texts if text is not None)
    return json.loads(document), licence.decode("utf-8")


def reduced(whole: dict[str, Json]) -> dict[str, Json]:
    """The operations, and of the components what they reach."""
    paths = {
        path: {verb: converted(whole["paths"][path][verb]) for verb in verbs}
        for path, verbs in OPERATIONS.items()
    }
    found: dict[str, dict[str, Json]] = {}
    ahead = references(paths) | {f"#/components/schemas/{name}" for name in ALSO}
    while ahead:
        _, _, kind, name = ahead.pop().split("/")
        if name not in found.setdefault(kind, {}):
            found[kind][name] = converted(whole["components"][kind][name])
            ahead |= references(found[kind][name])
    about = {"title": "GitHub's issues", "version": VERSION, "license": {"name": "MIT"}}
    return {"x-source": f"npm {PACKAGE}", "info": about, "paths": paths, "components": found}


def references(part: Json) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(references, part)) if part else set()
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
    return own.union(*map(references, part.values()))


def converted(part: Json, *, named: bool = False) -> Json:
    """A part without prose; `named` if its keys are names and not words of the description."""
    if isinstance(part, list):
        return [converted(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {
        key: converted(value, named=key in BY_NAME and not named)
        for key, value in part.items()
        if named or not (key in LEFT_OUT or key.startswith("x-"))
    }
    return kept if named or not kept.pop("nullable", False) else nullable(kept)


def nullable(schema: dict[str, Json]) -> dict[str, Json]:
    """What OpenAPI 3.0 says beside a type, as a type."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    also = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **also}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
