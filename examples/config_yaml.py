"""The host's workflow configuration from one YAML file: a config source.

The file is `.animus/config.yaml` under the project's root, or where ANIMUS_CONFIG_YAML says. It is
the configuration itself, or the wrapper that hosts exchange:

    schema: animus.workflow-config.v2
    version: 2
    config: {workflows: [...], ...}

Whoever changes the file, the host is told within a quarter of a second (`config/changed`). A write
replaces the file in one step, so that nobody ever reads half of it. Comments do not survive a write
by the host: the file as a person left it is kept next to it, with the suffix `.bak`.

Words and numbers mean what they mean to the host, whose YAML is 1.2: `no`, `on` and `22:30` are text.
What a write puts into the file means the same to a reader of YAML 1.1. `<<` merges, as in YAML 1.1.
"""

import hashlib
import math
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Any, ClassVar, Final

from animus_routes import App, Context, Depends, InvalidRequest, Unavailable
from animus_routes.structs import config as wire

import msgspec
import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

SCHEMA: Final = "animus.workflow-config.v2"
VERSION: Final = 2
POLL_S: Final = 0.25
TAG: Final = "tag:yaml.org,2002:"
KINDS: Final = {
    type(value): f"{TAG}{kind}"
    for kind, value in {"null": None, "bool": True, "int": 1, "float": 1.0, "str": ""}.items()
}
UNTAGGED: Final[dict[type[Node], str]] = {
    ScalarNode: f"{TAG}str",
    SequenceNode: f"{TAG}seq",
    MappingNode: f"{TAG}map",
}
# A plain word or number as hosts read it, whose YAML is 1.2.
WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)")
DECIMAL: Final = re.compile(r"(?![-+]?0[0-9]+$)[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
SPECIAL: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
LONGEST: Final = 131  # "-0b" and 128 digits
# Words, or the beginning of a number or date, that some reader of YAML 1.1 takes for more than text.
DOUBTFUL: Final = re.compile(r"[-+.]?[0-9].*|[yYnN]|[-+]?\..*", re.DOTALL)
WRITTEN: Final = b"# Written by the host. What stood here before is in the .bak file beside it.\n"
WRAPPER: Final = frozenset({"schema", "version", "config"})
OLD_BREAKS: Final = re.compile("[\x85\u2028\u2029]")


class Problem(Exception):  # noqa: N818 - it is a diagnostic before it is an error
    """What is wrong with the file, and where; lines and columns start at 1."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.message = message
        self.line = line
        self.column = column


def scalar(text: str) -> float | str | None:
    """What a plain scalar stands for: `no`, `22:30`, `1_000` and `010` are text, `0o17` is 15."""
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text) and len(text) <= LONGEST:
        number = int(text, 0)
        if -(2**127) <= number < 2**128:
            return number
    if SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    found = float(text) if DECIMAL.fullmatch(text) else math.inf
    return found if math.isfinite(found) else text


def tag_of(kind: type[Node], value: Any, implicit: tuple[bool, bool]) -> str:
    if kind is ScalarNode and implicit[0]:
        return f"{TAG}merge" if value == "<<" else KINDS[type(scalar(value))]
    return UNTAGGED[kind]


def construct(_loader: yaml.SafeLoader, node: ScalarNode) -> Any:
    """A scalar of a kind that its tag names, whether it was written or resolved."""
    found = scalar(node.value)
    if isinstance(found, float) and not math.isfinite(found):
        raise at(node, "JSON has no such number")
    if KINDS[type(found)] != node.tag:
        raise at(node, f"'{node.value}' is no {node.tag.removeprefix(TAG)}")
    return found


def construct_text(loader: yaml.SafeLoader, node: ScalarNode) -> Any:
    return loader.construct_scalar(node)


class Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """YAML with JSON's types only: dates stay text, and a key occurs once in its mapping."""

    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        # None stands for every other tag, and refuses it.
        **{tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (None, f"{TAG}seq", f"{TAG}map")},
        **dict.fromkeys(KINDS.values(), construct),
        **dict.fromkeys((f"{TAG}str", f"{TAG}merge"), construct_text),
    }

    def resolve(self, kind: type[Node], value: Any, implicit: tuple[bool, bool]) -> str:
        return tag_of(kind, value, implicit)

    def construct_mapping(self, node: MappingNode, **options: Any) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.tag == f"{TAG}merge":
                continue
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise at(key, f"the key {name!r} has to be text: write it in quotes")
            if name in seen:
                raise at(key, f"'{name}' occurs twice")
            seen.add(name)
        found: dict[Any, Any] = super().construct_mapping(node, **options)
        return found


class Dumper(yaml.SafeDumper):
    """Quotes each text that a reader, of YAML 1.2 or 1.1, could take for something else."""

    old: Any = yaml.resolver.Resolver()

    def resolve(self, kind: type[Node], value: Any, implicit: tuple[bool, bool]) -> str:
        found = tag_of(kind, value, implicit)
        text = kind is ScalarNode and implicit[0] and found == f"{TAG}str"
        if text and (DOUBTFUL.fullmatch(value) or self.old.resolve(kind, value, implicit) != found):
            return ""
        return found

    def represent_str(self, data: str) -> ScalarNode:
        """Line ends of YAML 1.1 that are none in 1.2 are escaped, which takes double quotes."""
        style = '"' if OLD_BREAKS.search(data) else None
        return self.represent_scalar(f"{TAG}str", data, style)


Dumper.add_representer(str, Dumper.represent_str)


def at(node: Node, message: str) -> Problem:
    return Problem(message, node.start_mark.line + 1, node.start_mark.column + 1)


def parse(text: bytes) -> wire.ConfigModel:
    """The file's content as the model that hosts read.

    Raises:
        Problem: The first thing that is wrong.
    """
    try:
        loader = Loader(text.decode())
        node = loader.get_single_node()
        found = {} if node is None else loader.construct_document(node)
    except UnicodeDecodeError as problem:
        line = text.count(b"\n", 0, problem.start) + 1
        raise Problem("the file is not UTF-8", line) from None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        message = problem.problem or problem.context or "the file is not YAML"
        where = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise Problem(message, *where) from None
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise Problem(str(problem).partition("\n")[0]) from None
    if node is None:
        return wire.ConfigModel(schema_=SCHEMA, version=VERSION, config={})
    if not isinstance(node, MappingNode):
        raise at(node, "the file has to be a mapping")
    return model(node, found)


def model(node: MappingNode, found: dict[str, Any]) -> wire.ConfigModel:
    """The wrapper, if there is one; what hosts would refuse is refused here, with its line."""
    nodes = {key.value: value for key, value in node.value}
    if "config" not in found and "schema" not in found:
        found = {"config": found}
    if found.get("schema", SCHEMA) != SCHEMA:
        raise at(nodes["schema"], f"the schema has to be {SCHEMA}")
    version = found.get("version", VERSION)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise at(nodes["version"], f"the version has to be 1 to {VERSION}")
    for name in found.keys() - WRAPPER:
        raise at(nodes[name], f"'{name}' does not belong next to schema, version and config")
    if not isinstance(found.get("config"), dict):
        raise at(nodes.get("config", node), "`config` has to be a mapping")
    return wire.ConfigModel(schema_=SCHEMA, version=version, config=found["config"])


def written(document: dict[str, Any]) -> bytes:
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "encoding": "utf-8"}
    text: bytes = yaml.dump(document, Dumper=Dumper, **options)
    return text


class Source:
    """One YAML file; a missing file counts as empty.

    Attributes:
        known: The version of the content that the host was last told of.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known = self.version()

    def read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as problem:
            raise Unavailable(f"{self.path}: {problem.strerror}") from problem

    def version(self) -> str:
        return version_of(self.read())

    def load(self) -> wire.ConfigLoadResponse:
        text = self.read()
        try:
            found = parse(text)
        except Problem as problem:
            raise InvalidRequest(f"{self.path}: {problem}") from None
        return wire.ConfigLoadResponse(config=found, cache_token=token(text, found))

    def write(self, given: wire.ConfigModel) -> wire.CacheToken:
        """Replace the file in one step: write a new one next to it, sync it, rename it."""
        document = {"schema": given.schema_, "version": given.version, "config": given.config}
        text = WRITTEN + written(document)
        before = self.read()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if before and not before.startswith(WRITTEN):
            replace(self.path.with_name(f"{self.path.name}.bak"), before)
        replace(self.path, text)
        self.known = version_of(text)
        return token(text, given)


def version_of(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def token(text: bytes, found: wire.ConfigModel) -> wire.CacheToken:
    """The host may keep what it compiled while this is the same; not if the environment is in it."""
    outside = b"${" in text or "system_prompt_file" in msgspec.json.encode(found.config).decode()
    return wire.CacheToken(version=version_of(text), external_inputs=outside)


def replace(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


# ---- the plugin ---------------------------------------------------------------------------------


class Sources:
    """The file of each project that was asked for; a thread checks all of them for changes."""

    def __init__(self) -> None:
        self.by_path: dict[Path, Source] = {}
        self.over = Event()
        self.thread = Thread(target=self._watch, name="config-watch", daemon=True)

    def of(self, project_root: str) -> Source:
        named = os.environ.get("ANIMUS_CONFIG_YAML")
        path = Path(named) if named else Path(project_root) / ".animus" / "config.yaml"
        if path not in self.by_path:
            self.by_path = {**self.by_path, path: Source(path)}
        return self.by_path[path]

    def _watch(self) -> None:
        while not self.over.wait(POLL_S):
            for source in self.by_path.values():
                with suppress(Unavailable):
                    version = source.version()
                    if version != source.known:
                        source.known = version
                        event = wire.ConfigChangedEvent(version=version)
                        app.notify("config/changed", event)


def lifespan() -> Iterator[Sources]:
    sources = Sources()
    sources.thread.start()
    yield sources
    sources.over.set()
    sources.thread.join(POLL_S)


def the_sources(ctx: Context[Sources]) -> Sources:
    return ctx.state


Files = Annotated[Sources, Depends(the_sources)]

app = App(
    kind="config_source",
    name="animus-config-yaml",
    version="0.1.0",
    description="Workflow configuration from a YAML file",
    lifespan=lifespan,
    capabilities=["config_watch"],
    env_required=[
        {
            "name": "ANIMUS_CONFIG_YAML",
            "description": "The file; .animus/config.yaml under the project if unset",
        }
    ],
)


@app.method("config/load")
def load(project_root: str, files: Files) -> wire.ConfigLoadResponse:
    source = files.of(project_root)
    found = source.load()
    source.known = found.cache_token.version
    return found


@app.method("config/validate")
def validate(project_root: str, files: Files) -> wire.ConfigValidateResponse:
    source = files.of(project_root)
    try:
        parse(source.read())
    except Problem as problem:
        found = wire.ConfigDiagnostic(
            severity="error",
            message=problem.message,
            file=str(source.path),
            line=problem.line,
            column=problem.column,
        )
        return wire.ConfigValidateResponse(diagnostics=[found])
    return wire.ConfigValidateResponse()


@app.method("config/write")
def write(project_root: str, config: wire.ConfigModel, files: Files) -> wire.ConfigWriteResponse:
    if config.schema_ != SCHEMA or not 1 <= config.version <= VERSION:
        raise InvalidRequest(f"expected {SCHEMA}, version 1 to {VERSION}")
    if not isinstance(config.config, dict):
        raise InvalidRequest("`config` has to be a mapping")
    return wire.ConfigWriteResponse(cache_token=files.of(project_root).write(config))


@app.exception_handler(OSError)
def refuse(_ctx: Context, problem: OSError) -> Unavailable:
    return Unavailable(str(problem))


if __name__ == "__main__":
    app.run()
