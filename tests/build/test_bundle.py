"""A bundle brings all that its app needs, and unpacks it once, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from building import NAME, answers, app_with, build, started, title_of

from animus_routes import RpcError
from animus_routes.build import unpack
from animus_routes.build.archive import contents_of, named_but_left
from animus_routes.build.needs import Needs, needs_of
from animus_routes.build.probe import Seen
from animus_routes.build.target import BuildError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WAIT_S = 20.0
CACHE = Path(".cache", "animus-routes")
MODULES = ("animus_routes", "msgspec", "msgspec._core", "pack", "pack.lazy", "lone")
APP = app_with(
    "report()",
    f"""
import json, sys
MODULES = {MODULES}
from pathlib import Path
import pack


def report() -> str:
    import lone
    from pack import lazy
    from animus_routes.types.subject import Subject as Model

    here = Path(__file__).parent
    texts = [pack.text, (here / "words" / "one.txt").read_text(), lone.WORD, Model.__module__]
    return json.dumps([texts, [sys.modules[name].__file__ for name in MODULES], sys.path])
""",
)
FILES = {
    "tasks.py": APP,
    "lone.py": "WORD = 'lone'\n",
    "pack/__init__.py": "from pathlib import Path\n"
    "text = Path(__file__).with_name('text.txt').read_text()\n",
    "pack/lazy.py": "",
    "pack/text.txt": "packed",
    "words/one.txt": "one",
    "words/.hidden": "no",
    "left.txt": "left",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose sources are gone."""
    folder = tmp_path_factory.mktemp("source")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    file = build(folder, "tasks.py", "--bundle", "--include", "words")
    place = tmp_path_factory.mktemp("installed") / NAME
    shutil.move(file, place)
    shutil.rmtree(folder)
    return place


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found = tmp_path / "a user's home"
    found.mkdir()
    return found


def env(home: Path) -> dict[str, str]:
    return {"HOME": str(home)}


def root_of(home: Path) -> Path:
    (found,) = (path for path in (home / CACHE).iterdir() if path.is_dir())
    return found


def files_of(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_bundle_needs_nothing_but_an_interpreter(built: Path, home: Path, tmp_path: Path) -> None:
    first = title_of(built, tmp_path, env(home))
    root = root_of(home)
    for title in (first, title_of(built, tmp_path, env(home))):
        texts, files, path = json.loads(title)
        assert texts == ["packed", "one", "lone", "animus_routes.types.subject"]
        assert all(file.startswith(f"{root}/") for file in files)
        assert not [entry for entry in path if "site-packages" in entry]
    assert root.parent.stat().st_mode & 0o777 == 0o700
    assert not [name for name in files_of(root) if "hidden" in name or "left" in name]


def test_what_a_battery_imports_when_it_is_used_is_brought(home: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "queue_sql.py", tmp_path)
    file = build(tmp_path, "queue_sql.py", "--bundle")
    url = f"postgresql://nobody@/x?host={tmp_path}"
    with started(file, tmp_path, {**env(home), "ANIMUS_QUEUE_URL": url}) as plugin:
        plugin.initialize()
        with pytest.raises(RpcError, match="No such file or directory Is the server running"):
            plugin.call("queue/stats")


def test_what_is_named_and_left_out_is_told(tmp_path: Path) -> None:
    for name in ("data.json", "other.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "tasks.py").write_text("DATA = ['data.json', '/', '', '..', 'tasks.py', 'none']")
    given, place = seen(tmp_path), str(tmp_path / "tasks.py")
    contents = contents_of(given, Needs([], set(), {}), place, ())
    assert named_but_left(contents, tmp_path) == ["data.json"]
    contents = contents_of(given, Needs([], set(), {}), place, ["*.json"])
    assert sorted(contents) == ["app/data.json", "app/other.json", "app/tasks.py"]
    assert named_but_left(contents, tmp_path) == []
    for pattern in ("no*", "/etc/hosts", "../*"):
        with pytest.raises(BuildError, match="there is nothing of that name below"):
            contents_of(given, Needs([], set(), {}), place, [pattern])


def test_twenty_start_at_once(built: Path, home: Path, tmp_path: Path) -> None:
    def title(_: int) -> str:
        return str(json.loads(title_of(built, tmp_path, env(home)))[0][0])

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(title, range(20))) == ["packed"] * 20
    names = {path.name.partition(".")[2] for path in (home / CACHE).iterdir()}
    assert names == {"", "lock", "whole"}


def killed_half_way(built: Path, home: Path, count: int) -> None:
    """Start it, and kill it once so many files are there."""
    process = subprocess.Popen(
        [str(built)], env=env(home), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + WAIT_S
        while sum(1 for path in home.rglob("*") if path.is_file()) < count:
            assert time.monotonic() < end
            assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=WAIT_S)


def test_a_start_completes_what_a_killed_one_began(built: Path, home: Path, tmp_path: Path) -> None:
    for count in (2, 50, 300):
        killed_half_way(built, home, count)
    assert not [*home.rglob("*.whole")]
    title_of(built, tmp_path, env(home))
    whole = files_of(root_of(home))
    shutil.rmtree(home / CACHE)
    title_of(built, tmp_path, env(home))
    assert files_of(root_of(home)) == whole


def test_what_a_cleaner_removes_comes_back(built: Path, home: Path, tmp_path: Path) -> None:
    title_of(built, tmp_path, env(home))
    root = root_of(home)
    whole = files_of(root)
    with started(built, tmp_path, env(home)) as running:
        running.initialize()
        for name in ("app/words/one.txt", "app/pack/lazy.py", "lib/msgspec/__init__.py"):
            (root / name).unlink()
        shutil.rmtree(root / "lib" / "animus_routes" / "types")
        assert json.loads(title_of(built, tmp_path, env(home)))[0][1] == "one"
        assert files_of(root) == whole
        title = running.call("task/list")["subjects"][0]["title"]
        assert json.loads(title)[0][1] == "one"


def test_what_is_damaged_is_told_and_mended_by_the_next_start(
    built: Path, home: Path, tmp_path: Path
) -> None:
    title_of(built, tmp_path, env(home))
    root = root_of(home)
    for path in (root / "lib/msgspec/__init__.py", *root.glob("lib/msgspec/__pycache__/__init__*")):
        path.write_bytes(b"?" * path.stat().st_size)
    found, _, code = answers(built, tmp_path, "initialize", env=env(home))
    assert found[0]["error"]["message"].startswith(f"{NAME}: it cannot be started by")
    assert code == 1
    assert json.loads(title_of(built, tmp_path, env(home)))[0][0] == "packed"


def test_without_a_usable_home_it_is_unpacked_for_one_process(built: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    settings = {"HOME": "/dev/null/none", "TMPDIR": str(temporary)}
    with started(built, tmp_path, settings) as plugin:
        plugin.initialize()
        (private,) = (path for path in temporary.iterdir())
        assert private.stat().st_mode & 0o777 == 0o700
        texts = json.loads(plugin.call("task/list")["subjects"][0]["title"])[0]
        assert texts[0] == "packed"
        with started(built, tmp_path, settings) as other:  # removes nothing of one that runs
            other.initialize()
            assert private.is_dir()
        plugin.kill()
    assert private.is_dir()
    with started(built, tmp_path, settings) as plugin:
        plugin.initialize()
        assert not private.exists()
    assert list(temporary.iterdir()) == []
    assert "unpacked for this process alone" in plugin.stderr_text()


def test_another_python_is_refused_in_words(built: Path, home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    version = str(sys.version_info[:2]).encode()
    data = built.read_bytes().replace(b"!= %s" % version, b"!= %s" % version.replace(b"(3", b"(2"))
    other.write_bytes(data)
    other.chmod(0o755)
    found, _, _ = answers(other, tmp_path, "initialize", env=env(home))
    assert f"it was built for {sys.implementation.name} 3." in found[0]["error"]["message"]


# The folder -------------------------------------------------------------------------------------------


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    place = tmp_path / ".cache" / "animus-routes"
    place.mkdir(parents=True)
    place.chmod(0o777)
    with pytest.raises(PermissionError, match="others can write it"):
        unpack._prepare(place)
    place.chmod(0o700)
    unpack._prepare(place)
    with pytest.raises(FileNotFoundError):
        unpack._prepare(tmp_path / "none" / ".cache" / "animus-routes")


def test_a_folder_that_no_library_can_be_loaded_from_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = os.statvfs(tmp_path).f_flag
    monkeypatch.setattr(unpack, "NOEXEC", flags or 1)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((0,) * 8 + (flags or 1, 255)))
    with pytest.raises(PermissionError, match="noexec"):
        unpack._prepare(tmp_path / "cache" / "animus-routes")


def test_an_old_version_is_removed_unless_it_runs(tmp_path: Path) -> None:
    for name in ("unused", "used", "recent"):
        (tmp_path / name / "lib").mkdir(parents=True)
        for end in ("whole", "lock"):
            (tmp_path / f"{name}.{end}").touch()
    (tmp_path / ".gone-before").mkdir()
    code = (
        "import os, sys; fd = os.open(sys.argv[1], os.O_RDWR); os.lseek(fd, 7, 0); "
        "os.lockf(fd, os.F_LOCK, 1); print(flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "used.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        for path in tmp_path.iterdir():
            if not path.name.startswith("recent"):
                os.utime(path, (1, 1))
        unpack._sweep(tmp_path, 3600)
    finally:
        holder.communicate(timeout=WAIT_S)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["recent", "used"]


# What is brought --------------------------------------------------------------------------------------


def seen(folder: Path, **modules: Path) -> Seen:
    return Seen(
        failed="",
        problems=[],
        manifest={},
        modules={name: str(path) for name, path in modules.items()},
        attribute="",
        folder=str(folder),
        path=[str(folder / "site-packages")],
        prefix="",
        needs_site=[],
    )


def distribution(folder: Path, name: str, version: str, **files: str) -> Distribution:
    """An installed distribution, as pip leaves it."""
    site = folder / "site-packages"
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for path, text in files.items():
        (site / path).write_text(text)
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in files))
    return Distribution.at(info)


def test_a_dependency_that_runs_code_at_every_start_is_refused(tmp_path: Path) -> None:
    dist = distribution(tmp_path, "hooked", "1.0", **{"hooked.pth": "import os\n"})
    with pytest.raises(BuildError, match=r"hooked brings hooked\.pth, which runs code"):
        contents_of(seen(tmp_path), Needs([], set(), {"hooked": dist}), "tasks", ())


def test_a_dependency_without_a_list_of_its_files_is_refused(tmp_path: Path) -> None:
    dist = distribution(tmp_path, "bare", "1.0")
    (tmp_path / "site-packages" / "bare-1.0.dist-info" / "RECORD").unlink()
    with pytest.raises(BuildError, match="bare has no list of its files"):
        contents_of(seen(tmp_path), Needs([], set(), {"bare": dist}), "tasks", ())


def test_a_new_version_of_a_dependency_is_another_file(tmp_path: Path) -> None:
    files = {"thing.py": "X = 1\n"}
    distribution(tmp_path, "thing", "1.0", **files)
    (tmp_path / "tasks.py").write_text("def late():\n    import thing\n")
    given = seen(tmp_path, tasks=tmp_path / "tasks.py")
    assert needs_of(given).installed["thing"].version == "1.0"
    shutil.rmtree(tmp_path / "site-packages" / "thing-1.0.dist-info")
    distribution(tmp_path, "thing", "1.1", **files)
    found = needs_of(given)
    assert found.installed["thing"].version == "1.1"
    assert "lib/thing.py" in contents_of(given, found, "tasks", ())


def test_an_editable_install_is_resolved(tmp_path: Path) -> None:
    project = tmp_path / "project's own"
    (project / "src" / "edited").mkdir(parents=True)
    module = project / "src" / "edited" / "__init__.py"
    module.write_text("X = 1\n")
    dist = distribution(tmp_path, "edited", "1.0", **{"_edited.pth": f"{project}/src\n"})
    url = {"url": (project).as_uri(), "dir_info": {"editable": True}}
    info = tmp_path / "site-packages" / "edited-1.0.dist-info"
    (info / "direct_url.json").write_text(json.dumps(url))
    given = seen(tmp_path, edited=module)
    given["folder"] = str(tmp_path / "app")
    found = needs_of(given)
    assert found.installed["edited"].name == dist.name
    assert contents_of(given, found, "tasks", ())["lib/edited/__init__.py"] == module
