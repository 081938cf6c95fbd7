"""GitHub's own description of its interface: what a request and an answer may be."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DATA = Path(__file__).resolve().parents[1] / "data" / "github" / "openapi.json"
NAME = "urn:github"
OWN_LINKS = {"after", "before"}  # what its links have, and its description does not
ANYWHERE = {  # what any operation may answer, though few list it
    301: "basic-error",
    307: "basic-error",
    401: "basic-error",
    403: "basic-error",
    404: "basic-error",
    422: "validation-error",
    429: "basic-error",
    500: "basic-error",
    502: "basic-error",
    503: "basic-error",
}


class Description:
    """The reduced document; what differs from it is a sentence."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = json.loads(DATA.read_text("utf-8"))
        resource = DRAFT202012.create_resource(self.document)
        self._registry: Any = Registry().with_resource(NAME, resource)
        self._known: set[tuple[str, str]] = set()
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "([^/]+)", path)), path)
            for path in self.document["paths"]
        ]

    def operation(self, method: str, target: str) -> str | None:
        """The pointer to what a request calls; None if there is no such thing."""
        place = urlsplit(target).path
        for pattern, path in self._paths:
            if pattern.fullmatch(place) and method.lower() in self.document["paths"][path]:
                return f"#/paths/{path.replace('/', '~1')}/{method.lower()}"
        return None

    def request_problems(self, pointer: str, target: str, body: Any) -> list[str]:
        found = self.at(pointer)
        parameters = [self.resolved(one) for one in found["parameters"]]
        query = {one["name"]: one for one in parameters if one["in"] == "query"}
        problems: list[str] = []
        for name, value in parse_qsl(urlsplit(target).query, keep_blank_values=True):
            if name in query:
                schema = self.resolved(query[name]["schema"])
                given = int(value) if schema.get("type") == "integer" else value
                problems += self.problems_of(schema, given)
            elif name not in OWN_LINKS:
                problems.append(f"{target}: GitHub knows no `{name}`")
        if "requestBody" in found:
            problems += self.body_problems(pointer, body)
        elif body is not None:
            problems.append(f"{target}: a body that nobody reads")
        return problems

    def body_problems(self, pointer: str, body: Any) -> list[str]:
        pointer = f"{pointer}/requestBody/content/application~1json/schema"
        schema = self.at(pointer)
        options = [schema, *schema.get("oneOf", ()), *schema.get("anyOf", ())]
        known = {name for option in options for name in option.get("properties", ())}
        unknown = set(body) - known if isinstance(body, dict) else set()
        return [*self.problems(pointer, body), *(f"no field `{name}`" for name in unknown)]

    def answer_problems(self, pointer: str, status: int, body: Any) -> list[str]:
        answers = self.at(pointer)["responses"]
        if str(status) in answers:
            answer = self.resolved(answers[str(status)])
            kinds = answer.get("content", {})
            if not kinds:
                return [] if body is None else [f"{pointer}: {status} has no body"]
            schema = kinds["application/json"]["schema"]
            return self.problems_of(schema, body)
        if status in ANYWHERE:
            return self.problems(f"#/components/schemas/{ANYWHERE[status]}", body)
        return [f"{pointer}: it never answers {status}"]

    def problems_of(self, schema: dict[str, Any], value: Any) -> list[str]:
        """Items of a list are looked at one by one, and each of them once."""
        if schema.get("type") == "array" and isinstance(value, list):
            return [p for one in value for p in self.problems_of(schema["items"], one)]
        key = (json.dumps(schema, sort_keys=True), json.dumps(value, sort_keys=True))
        if key in self._known:
            return []
        inside = json.loads(key[0].replace('"#/', f'"{NAME}#/'))
        found = [self._said(error) for error in self._validator(inside).iter_errors(value)]
        if not found:
            self._known.add(key)
        return found

    def problems(self, pointer: str, value: Any) -> list[str]:
        return self.problems_of({"$ref": pointer}, value)

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        return self.at(part["$ref"]) if "$ref" in part else part

    def at(self, pointer: str) -> Any:
        found: Any = self.document
        for name in pointer.removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        return found

    def _validator(self, schema: dict[str, Any]) -> Any:
        return Draft202012Validator(schema, registry=self._registry)

    def _said(self, error: Any) -> str:
        return f"{error.json_path}: {error.message[:300]}"


@cache
def description() -> Description:
    return Description()
