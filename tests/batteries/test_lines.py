"""Lines that several processes append to are all there, whole, whatever is rotated or killed."""

import fcntl
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from animus_routes import Unavailable
from animus_routes.batteries.lines import Appender, Follower, parts, reading, whole_lines

LARGE = 1 << 30
WRITER = """
import sys
from pathlib import Path
from animus_routes.batteries.lines import Appender
appender = Appender(Path(sys.argv[1]), most_bytes=2000)
for n in range(300):
    appender.append(b"%s %d a\\n%s %d b\\n" % (sys.argv[2].encode(), n, sys.argv[2].encode(), n))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a" / "logs.jsonl"


def names(file: Path) -> list[str]:
    return [part.path.name for part in parts(file)]


def everything(file: Path) -> list[bytes]:
    found = b""
    for part in parts(file):
        with reading(part) as descriptor:
            found += whole_lines(descriptor, 0)
    return found.splitlines()


def new(follower: Follower) -> bytes:
    return b"".join(text for _, text in follower.new())


def test_what_does_not_fit_goes_into_a_new_file_and_the_oldest_go(file: Path) -> None:
    appender = Appender(file, most_bytes=10, keep=2, fsync=True)
    for n in range(5):
        appender.append(b"line %d\n" % n)
    assert names(file) == ["logs.000003.jsonl", "logs.000004.jsonl", "logs.jsonl"]
    assert everything(file) == [b"line 2", b"line 3", b"line 4"]
    assert [part.number for part in parts(file)] == [3, 4, 5]
    appender.append(b"longer than a file may be\n")
    assert everything(file)[-1] == b"longer than a file may be"
    appender.close()
    appender.append(b"x\n")
    assert everything(file) == [b"line 4", b"longer than a file may be", b"x"]


def test_nothing_is_kept_beside_the_file_if_that_is_wanted(file: Path) -> None:
    appender = Appender(file, most_bytes=10, keep=0)
    for n in range(3):
        appender.append(b"line %d\n" % n)
    assert names(file) == ["logs.jsonl"]
    assert everything(file) == [b"line 2"]


def test_what_other_programs_rotate_is_found_in_its_order(file: Path) -> None:
    file.parent.mkdir()
    for name in ("jsonl", "jsonl.1", "jsonl.10", "jsonl.2", "jsonl.bak", "txt"):
        (file.parent / f"logs.{name}").write_text(f"{name}\n")
    assert names(file) == ["logs.jsonl.10", "logs.jsonl.2", "logs.jsonl.1", "logs.jsonl"]
    assert parts(file.parent / "none" / "x.jsonl") == []


def test_a_torn_line_is_ended_and_costs_no_other(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"whole\nto")
    appender = Appender(file, most_bytes=LARGE)
    appender.append(b"next\n")
    assert file.read_bytes() == b"whole\nto\nnext\n"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # half of it would stay
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_no_half_of_what_was_written(file: Path) -> None:
    appender = Appender(file, most_bytes=LARGE)
    appender.append(b"first\n")
    with largest_file(10), pytest.raises(OSError, match="No space"):
        appender.append(b"second\nthird\n")
    with largest_file(6), pytest.raises(OSError, match="too large"):
        appender.append(b"second\n")
    assert file.read_bytes() == b"first\n"
    appender.append(b"second\n")
    assert everything(file) == [b"first", b"second"]


def test_many_writers_lose_nothing_while_all_of_them_rotate(file: Path) -> None:
    follower = Follower(file)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), name]) for name in ("x", "y")
    ]
    told = b""
    while any(writer.poll() is None for writer in writers):
        told += new(follower)
    told += new(follower)
    wanted = {f"{name} {n} {half}".encode() for name in "xy" for n in range(300) for half in "ab"}
    lines = everything(file)
    assert (set(lines), len(lines)) == (wanted, 1200)
    assert told.splitlines() == lines
    halves = [(lines[n][:-2], lines[n + 1][:-2]) for n in range(0, 1200, 2)]
    assert [pair for pair in halves if pair[0] != pair[1]] == []
    follower.close()


def test_a_lock_that_nobody_gives_back_is_not_waited_for_for_ever(file: Path) -> None:
    appender = Appender(file, most_bytes=LARGE, wait_s=0.05)
    appender.append(b"1\n")
    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Unavailable, match="locked"):
            appender.append(b"2\n")
    appender.append(b"3\n")
    assert everything(file) == [b"1", b"3"]


def test_why_a_file_cannot_be_written_is_said(file: Path) -> None:
    assert Appender(file, most_bytes=LARGE).check() is None
    file.mkdir(parents=True)
    assert "no file to write to" in str(Appender(file, most_bytes=LARGE).check())
    file.rmdir()
    file.touch()
    assert Appender(file, most_bytes=LARGE).check() is None
    assert "no folder" in str(Appender(file / "x", most_bytes=LARGE).check())


def test_a_file_is_followed_from_before_it_is_there(file: Path) -> None:
    follower = Follower(file)
    assert new(follower) == b""
    appender = Appender(file, most_bytes=LARGE)
    appender.append(b"1\n")
    assert new(follower) == b"1\n"
    with file.open("ab") as other:
        other.write(b"tor")
    assert new(follower) == b""
    appender.append(b"2\n")
    assert new(follower) == b"tor\n2\n"
    file.write_bytes(b"3\n")  # emptied in place
    assert new(follower) == b"3\n"


def test_several_rotations_between_two_looks_are_followed(file: Path) -> None:
    appender = Appender(file, most_bytes=4, keep=2)
    appender.append(b"0\n")
    follower = Follower(file)
    assert new(follower) == b"0\n"
    with file.open("ab") as late:
        for n in range(1, 5):
            appender.append(b"%d..\n" % n)
        late.write(b"late\n")
    assert new(follower) == b"late\n2..\n3..\n4..\n"  # all that is not deleted
    appender.append(b"5..\n")
    assert new(follower) == b"5..\n"


def test_one_that_others_rename_over_the_last_one_is_followed(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"1\n")
    follower = Follower(file)
    assert new(follower) == b"1\n"
    with file.open("ab") as late:
        file.rename(file.with_name("logs.jsonl.1"))
        assert new(follower) == b""
        late.write(b"late\n")
    file.write_bytes(b"2\n")
    assert new(follower) == b"late\n2\n"
    for n in (3, 4):
        file.rename(file.with_name("logs.jsonl.1"))
        file.write_bytes(b"%d\n" % n)
    assert new(follower) == b"3\n4\n"


def test_a_part_is_read_under_its_new_name(file: Path) -> None:
    appender = Appender(file, most_bytes=4)
    appender.append(b"1\n")
    (part,) = parts(file)
    appender.append(b"2..\n")
    with reading(part) as descriptor:
        assert whole_lines(descriptor, 0) == b"1\n"
    (file.parent / "logs.000001.jsonl").unlink()
    with pytest.raises(FileNotFoundError), reading(part):
        pass


def test_a_line_without_an_end_is_not_read_for_ever(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"x" * 300_000 + b"\n" + b"y" * (17 << 20) + b"\nz\n")
    with reading(parts(file)[0]) as descriptor:
        offset, sizes = 0, list[int]()
        while text := whole_lines(descriptor, offset):
            sizes.append(len(text))
            offset += len(text)
    assert offset == file.stat().st_size
    assert max(sizes) <= 16 << 20
