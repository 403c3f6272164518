"""Files of a folder: what is read, what is left out, and why."""

import os
import subprocess
from pathlib import Path

import pytest

from konayuki.errors import FormatError, InputError, NotFoundError
from konayuki.ingest import Selection, find_files, update
from konayuki.ingest.files_on_disk import read_regular
from konayuki.ingest.walk import DEFAULT_SELECTION, LeftOut
from konayuki.search import Index

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and pipes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "good.txt").write_text("富士山", "utf-8")
    return folder


def names(folder: Path, selection: Selection = DEFAULT_SELECTION, left_out: LeftOut | None = None):
    files = find_files([folder], selection, left_out)
    return [file.relative_to(folder).as_posix() for file in files]


def test_one_bad_file_does_not_stop_the_others(index: Index, folder: Path):
    (folder / "loop.txt").symlink_to("loop.txt")
    (folder / "nowhere.txt").symlink_to("nothing")
    os.mkfifo(folder / "pipe.txt")
    (folder / "marked.html").write_text("<![<![x", "utf-8")
    (folder / "null.txt").symlink_to("/dev/null")
    Path(os.fsdecode(os.fsencode(folder) + b"/\x93\xfa\x96\x7b.txt")).write_text("x", "utf-8")
    summary = update(index, [folder], selection=Selection(follow_links=True))
    assert [hit.text for hit in index.search("富士山", 1)] == ["富士山"]
    reasons = "\n".join(summary.skipped)
    assert len(summary.skipped) == 5
    assert "loop.txt: a link to itself" in reasons
    assert "nowhere.txt: a link to nothing" in reasons
    assert "pipe.txt: a pipe: expected a regular file" in reasons
    assert "null.txt: a device: expected a regular file" in reasons
    assert r"\udc93\udcfa\udc96{.txt: the name is not UTF-8" in reasons
    reasons.encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_listed_is_named(folder: Path):
    (folder / "sub").chmod(0)
    left_out = LeftOut()
    try:
        assert names(folder, left_out=left_out) == ["good.txt"]
    finally:
        (folder / "sub").chmod(0o700)
    assert "sub cannot be listed: Permission denied" in left_out.errors[0]


def test_a_folder_that_vanishes_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "sub" / "a.txt").write_text("x", "utf-8")
    scan = os.scandir

    def failing(path: Path):
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("konayuki.ingest.walk.os.scandir", failing)
    left_out = LeftOut()
    assert names(folder, left_out=left_out) == ["good.txt"]
    assert left_out.errors == [f"{folder}/sub cannot be listed: Permission denied"]


def test_links_out_of_a_folder_are_followed_when_asked(folder: Path, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("秘密", "utf-8")
    (tmp_path / "outside" / "back").symlink_to(folder)
    (folder / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (folder / "linked").symlink_to(tmp_path / "outside")
    left_out = LeftOut()
    assert names(folder, left_out=left_out) == ["good.txt"]
    assert left_out.by_reason == {"links out of the folder": 2}
    assert names(folder, Selection(follow_links=True)) == ["good.txt", "link.txt"]
    (folder / "link.txt").unlink()
    assert names(folder, Selection(follow_links=True)) == ["good.txt", "linked/secret.txt"]


def test_a_link_does_not_stand_in_for_the_file(folder: Path):
    (folder / "a.txt").symlink_to("good.txt")
    (folder / "sub" / "up").symlink_to(folder)
    assert names(folder, Selection(follow_links=True)) == ["good.txt"]


def test_folders_may_be_nested_deeper_than_the_stack(folder: Path):
    place = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    try:
        assert names(folder) == ["good.txt"]
    finally:  # pytest removes folders by recursion
        subprocess.run(["/bin/rm", "-rf", folder / "d"], check=True)


def test_only_regular_files_of_bounded_size_are_read(folder: Path, tmp_path: Path):
    assert read_regular(folder / "good.txt", "good.txt", 9) == "富士山".encode()
    with pytest.raises(FormatError, match=r"good\.txt: .* MB: expected at most(.|\n)*hint: --max-"):
        read_regular(folder / "good.txt", "good.txt", 8)
    (tmp_path / "link").symlink_to(folder / "good.txt")
    for path, error in ((folder, FormatError), (tmp_path / "link", NotFoundError)):
        with pytest.raises(error, match=r"as given(: a folder| cannot be read)"):
            read_regular(path, "as given")


def test_what_is_not_for_people_is_left_out_and_counted(folder: Path):
    for name in (
        ".hidden/a.txt", ".b.txt", "node_modules/c.txt", "build/d.txt", "e.log.txt", "keep.log.txt",
        "sub/f.log.txt", "sub/build/g.txt", "notes.konayuki/h.txt", "i/documents.db", "i/j.txt",
        "i/index.json",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x", "utf-8")
    (folder / ".gitignore").write_text("*.log.txt\n/build/\n", "utf-8")
    (folder / ".konayukiignore").write_text("!keep.log.txt\n", "utf-8")
    (folder / "sub" / ".gitignore").write_text("!f.log.txt\n", "utf-8")
    left_out = LeftOut()
    assert names(folder, left_out=left_out) == [
        "good.txt", "keep.log.txt", "sub/build/g.txt", "sub/f.log.txt",
    ]  # fmt: skip
    assert left_out.by_reason == {
        "hidden": 5,
        "folders of packages and caches": 2,
        "ignored by .gitignore": 2,
        "folders of an index": 1,
    }
    assert len(names(folder, Selection(everything=True))) == 12


def test_files_are_included_and_excluded_by_patterns(folder: Path):
    for name in ("a.md", "sub/b.md", "sub/c.txt", "sub/old/d.md"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x", "utf-8")
    left_out = LeftOut()
    selection = Selection(include=("*.md",), exclude=("old/",))
    assert names(folder, selection, left_out) == ["a.md", "sub/b.md"]
    assert left_out.by_reason == {"excluded": 1, "not included": 2}
    assert names(folder, Selection(include=("/sub/**",))) == [
        "sub/b.md",
        "sub/c.txt",
        "sub/old/d.md",
    ]


def test_a_pattern_that_would_take_hours_is_not_used_and_the_others_are(folder: Path):
    name = "a" * 200 + ".txt"
    (folder / name).write_text("x", "utf-8")
    (folder / "secret.txt").write_text("x", "utf-8")
    hostile = ["*a" * 30 + "b", "**/a/" * 30 + "b"]
    (folder / ".gitignore").write_text("\n".join(["# * a * b * c *", *hostile, "secret.txt"]))
    assert names(folder) == [name, "good.txt"]
    for pattern in hostile:
        with pytest.raises(InputError, match="fewer stars"):
            names(folder, Selection(exclude=(pattern,)))
