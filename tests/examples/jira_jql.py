"""As much of JQL as a backend needs, as strict as Jira: what it does not know is a refusal.

project in ("ENG", "OPS") AND (status = "3" OR assignee is EMPTY) ORDER BY created ASC, key ASC
"""

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

Row = dict[str, Any]
Test = Callable[[Row], bool]

TOKEN: Final = re.compile(
    r"""\s*(?:"((?:[^"\\]|\\.)*)"|([A-Za-z0-9_.:-]+)|(>=|<=|!=|=|>|<|\(|\)|,))""", re.VERBOSE
)
RELATIVE: Final = re.compile(r"-(\d+)([mhd])")
SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}
SORTED: Final = ("created", "key", "priority", "updated")


class JqlError(Exception):
    """What Jira says of a query, as an answer with status 400."""


class Jql:
    """One query.

    Args:
        text: The query.
        known: By field, the values that there are; those of other fields may be anything.

    Raises:
        JqlError: Jira would refuse it.
    """

    def __init__(self, text: str, known: dict[str, set[str]]) -> None:
        where, _, order = text.partition(" ORDER BY ")
        self.known = known
        self.tokens = [*self._split(where)]
        self.restricted: set[str] = set()
        self.matches = self._any()
        if self.tokens:
            raise JqlError(f"Error in the JQL Query: unexpected '{self.tokens[0][0]}'")
        if not self.restricted:
            raise JqlError(
                "Unbounded JQL queries are not allowed here. Please add a search restriction."
            )
        self.order: list[tuple[str, bool]] = []
        for part in order.split(",") if order else ():
            field, direction = part.split()
            if field not in SORTED or direction not in {"ASC", "DESC"}:
                raise JqlError(f"Error in the JQL Query: cannot sort by '{part}'")
            self.order.append((field, direction == "DESC"))

    def sorted(self, rows: list[Row]) -> list[Row]:
        found = [row for row in rows if self.matches(row)]
        for field, falling in reversed(self.order):
            found.sort(key=lambda row: row["sort"][field], reverse=falling)
        return found

    def _split(self, text: str) -> Iterator[tuple[str, bool]]:
        place = 0
        while place < len(text.rstrip()):
            found = TOKEN.match(text, place)
            if found is None:
                raise JqlError(f"Error in the JQL Query: near '{text[place : place + 20]}'")
            place = found.end()
            quoted, word, sign = found.groups()
            if quoted is not None:
                yield re.sub(r"\\(.)", r"\1", quoted), True
            else:
                yield word or sign, False

    def _take(self, *wanted: str) -> str:
        if not self.tokens:
            raise JqlError("Error in the JQL Query: it ends early")
        token, quoted = self.tokens.pop(0)
        if wanted and (quoted or token.upper() not in wanted):
            raise JqlError(
                f"Error in the JQL Query: expecting {' or '.join(wanted)}, got '{token}'"
            )
        return token

    def _next(self) -> str:
        return self.tokens[0][0].upper() if self.tokens and not self.tokens[0][1] else ""

    def _any(self) -> Test:
        tests = [self._all()]
        while self._next() == "OR":
            self._take("OR")
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._next() == "AND":
            self._take("AND")
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._next() == "(":
            self._take("(")
            inside = self._any()
            self._take(")")
            return inside
        field = self._take()
        if field not in {*self.known, "labels", "updated", "created"}:
            raise JqlError(
                f"Field '{field}' does not exist or you do not have permission to view it."
            )
        self.restricted.add(field)
        sign = self._take("=", "!=", ">=", "IN", "NOT", "IS").upper()
        if sign == "NOT":
            self._take("IN")
        if sign == "IS":
            wants = self._next() != "NOT"
            if not wants:
                self._take("NOT")
            self._take("EMPTY")
            return lambda row: (not row["find"][field]) is wants
        values = [*self._values()] if sign in {"IN", "NOT"} else [self._value(field)]
        if sign == ">=":
            least = moment(values[0])
            return lambda row: row["find"][field] >= least
        for value in values:
            if field in self.known and value.lower() not in self.known[field]:
                raise JqlError(f"The value '{value}' does not exist for the field '{field}'.")
        wanted = {value.lower() for value in values}
        is_in = sign in {"=", "IN"}
        # As in SQL: what is empty is neither in a list nor outside of it.
        return lambda row: bool(row["find"][field]) and bool(wanted & row["find"][field]) is is_in

    def _value(self, field: str) -> str:
        quoted = bool(self.tokens) and self.tokens[0][1]
        value = self._take()
        if not quoted and field == "labels" and not re.fullmatch(r"[\w.-]+", value):
            raise JqlError(f"Error in the JQL Query: near '{value}'")
        return value

    def _values(self) -> Iterator[str]:
        self._take("(")
        yield self._take()
        while self._take(",", ")") == ",":
            yield self._take()


def moment(text: str) -> float:
    """What a date of JQL means, in seconds since 1970; a whole minute."""
    if found := RELATIVE.fullmatch(text):
        return time.time() - int(found[1]) * SECONDS[found[2]]
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").astimezone().timestamp()
    except ValueError:
        raise JqlError(f"Date value '{text}' for field 'updated' is invalid.") from None
