"""What a bundle brings: the app's own files under `app`, everything else under `lib`."""

from __future__ import annotations

import os
import sys
import zipfile
from importlib.machinery import PathFinder
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from io import BytesIO
from marshal import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Final

from animus_routes.build.needs import (
    editable_root,
    folder_of,
    imported_by,
    is_authors,
    is_standard,
)
from animus_routes.build.probe import HARMLESS, runs_code
from animus_routes.build.target import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution

    from animus_routes.build.needs import Needs
    from animus_routes.build.probe import Seen

APP: Final = "app"
LIB: Final = "lib"
CACHE: Final = "__pycache__"
NEVER: Final = frozenset({CACHE, "node_modules"})
NOT_COPIED: Final = frozenset({"RECORD", "direct_url.json", "INSTALLER", "REQUESTED"})
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same files are the same bytes
UNCHECKED: Final = (1).to_bytes(
    4, "little"
)  # of a .pyc: by hash, and never compared with its source

Contents = dict[str, Path]


def contents_of(seen: Seen, needs: Needs, place: str, include: Iterable[str]) -> Contents:
    """The files of a bundle, by their names in it.

    Raises:
        BuildError: Something cannot be brought.
    """
    found: Contents = {}
    for name, dist in needs.installed.items():
        found.update(_of_distribution(name, dist))
    root = Path(seen["folder"]) if seen["folder"] else None
    if os.sep in place:
        found[f"{APP}/{Path(place).name}"] = Path(place)
    ahead, seen_tops = sorted(needs.tops), set[str]()
    while ahead:
        top = ahead.pop()
        if top in seen_tops:
            continue
        seen_tops.add(top)
        for name, path in _of_module(top, seen, root):
            found.setdefault(name, path)
            if path.suffix == ".py" and name.startswith(f"{APP}/"):
                ahead += imported_by(path.read_text("utf-8", errors="replace"))
    if root is not None:
        found.update(_included(root, include))
    return found


def _of_distribution(name: str, dist: Distribution) -> Iterator[tuple[str, Path]]:
    if editable_root(dist) is not None:
        metadata = folder_of(dist)
        for path in metadata.iterdir() if metadata is not None else ():
            if path.is_file() and path.name not in NOT_COPIED:
                yield f"{LIB}/{path.parent.name}/{path.name}", path
        return
    if dist.files is None:
        raise BuildError(
            f"{name} has no list of its files, so that it cannot be brought: install it with pip"
        )
    for file in dist.files:
        path = Path(str(dist.locate_file(file)))
        if file.suffix == ".pth" and file.name not in HARMLESS and runs_code(str(path)):
            raise BuildError(
                f"{name} brings {file.name}, which runs code whenever an environment's interpreter "
                "starts: build without --bundle"
            )
        is_left = file.name in NOT_COPIED and file.parts[0].endswith(".dist-info")
        if ".." in file.parts or is_left or not NEVER.isdisjoint(file.parts):
            continue
        if path.is_file():
            yield f"{LIB}/{file.as_posix()}", path


def _of_module(top: str, seen: Seen, root: Path | None) -> Iterator[tuple[str, Path]]:
    """A top-level module that no distribution has: the author's own, or of an editable install."""
    location = _location(top, seen, root)
    if location is None or is_standard(str(location)) or not is_authors(str(location)):
        return
    under = APP if root is not None and location.is_relative_to(root) else LIB
    if location.is_dir():
        for path in tree(location):
            yield f"{under}/{top}/{path.relative_to(location).as_posix()}", path
    else:
        yield f"{under}/{location.name}", location


def _location(top: str, seen: Seen, root: Path | None) -> Path | None:
    """The folder of a package, or the file of a module."""
    file = seen["modules"].get(top)
    if file is None:
        if root is not None and (root / top).is_dir() and not (root / f"{top}.py").exists():
            named = any(name.startswith(f"{top}.") for name in seen["modules"])
            return root / top if named or (root / top / "__init__.py").exists() else None
        paths = [*([str(root)] if root is not None else []), *seen["path"]]
        spec = PathFinder.find_spec(top, paths)
        file = spec.origin if spec is not None else None
    if file is None:
        return None
    path = Path(file)
    return path.parent if path.stem == "__init__" else path


def tree(folder: Path) -> Iterator[Path]:
    """The files below a folder, without hidden ones, caches and environments."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in NEVER:
            continue
        if path.is_dir() and not (path / "pyvenv.cfg").exists():
            yield from tree(path)
        elif path.is_file():
            yield path


def _included(root: Path, include: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """What the author names: files, folders, patterns, all below the app's folder."""
    for pattern in include:
        found = False
        inside = not Path(pattern).is_absolute() and ".." not in Path(pattern).parts
        for path in sorted(root.glob(pattern)) if inside else ():
            for file in tree(path) if path.is_dir() else [path]:
                found = True
                yield f"{APP}/{file.relative_to(root).as_posix()}", file
        if not found:
            raise BuildError(f"--include {pattern}: there is nothing of that name below {root}")


def named_but_left(contents: Contents, root: Path) -> list[str]:
    """Files beside the app that its text names, and that are not brought."""
    import ast

    texts: set[str] = set()
    for name, path in contents.items():
        if name.startswith(f"{APP}/") and path.suffix == ".py":
            try:
                nodes = ast.walk(ast.parse(path.read_text("utf-8", errors="replace")))
            except (SyntaxError, ValueError):
                continue
            texts |= {
                n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)
            }
    brought = {path.resolve() for path in contents.values()}
    found: list[str] = []
    for text in sorted(texts):
        if not text or len(text) > 200 or "\0" in text or "\n" in text or text.strip("./") == "":
            continue
        path = root / text
        inside = not Path(text).is_absolute() and ".." not in Path(text).parts
        if inside and path.is_file() and path.resolve() not in brought:
            found.append(text)
    return found


def archive(contents: Contents) -> bytes:
    """One archive, with the compiled form of each source beside it."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as made:
        for name, path in sorted(contents.items()):
            data = path.read_bytes()
            _add(made, name, data, executable=os.access(path, os.X_OK))
            if path.suffix == ".py":
                compiled = _compiled(path, data)
                if compiled is not None:
                    _add(made, _cached(name), compiled)
    return out.getvalue()


def _add(made: zipfile.ZipFile, name: str, data: bytes, *, executable: bool = False) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (0o700 if executable else 0o600) << 16
    made.writestr(info, data)


def _compiled(path: Path, data: bytes) -> bytes | None:
    """A .pyc that Python takes as it is and never writes again; None for what is no Python."""
    code = _known(path)
    if code is None:
        try:
            code = dumps(compile(data, path.name, "exec", dont_inherit=True))
        except (SyntaxError, ValueError):
            return None
    return MAGIC_NUMBER + UNCHECKED + source_hash(data) + code


def _cached(name: str) -> str:
    """Where Python looks for the compiled form of a source."""
    folder, _, file = name.rpartition("/")
    return f"{folder}/{CACHE}/{file.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"


def _known(path: Path) -> bytes | None:
    """The code that Python has compiled already, if that is of this source."""
    try:
        found = Path(cache_from_source(str(path))).read_bytes()
        state = path.stat()
    except OSError:
        return None
    times = int(state.st_mtime).to_bytes(8, "little")[:4] + state.st_size.to_bytes(8, "little")[:4]
    return found[16:] if found[:16] == MAGIC_NUMBER + bytes(4) + times else None
