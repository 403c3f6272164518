"""Files that only grow: what is valid, what is refused, what is removed."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from konayuki.errors import IndexFormatError
from konayuki.search.append_only import EpochFiles
from konayuki.search.vectors import VectorState


def files_in(folder: Path) -> EpochFiles[VectorState]:
    return EpochFiles(folder, VectorState, ("left", "right"), "pairs")


def extended(files: EpochFiles[VectorState], state: VectorState, values: list[int]) -> VectorState:
    written = files.write(state, (values, values))
    return replace(written, count=state.count + len(values))


@pytest.fixture
def files(tmp_path: Path) -> EpochFiles[VectorState]:
    files = files_in(tmp_path / "pairs")
    files.commit(extended(files, files.begin(VectorState(dim=1, index_id=7)), [3, 1]))
    return files


def test_a_write_that_was_not_committed_is_written_over(files: EpochFiles[VectorState]) -> None:
    extended(files, files.state(), [9, 9, 9])

    files.commit(extended(files, files.state(), [4]))

    files.check(files.state())
    left, right = files.arrays(files.state())[0]
    assert left.tolist() == right.tolist() == [3, 1, 4]
    assert (left.dtype, right.dtype) == ("i1", "i8")


def test_the_state_names_its_own_values_before_those_of_all(files: EpochFiles[VectorState]) -> None:
    values = json.loads((files.folder / "state.json").read_text())

    assert list(values)[:3] == ["dim", "count", "generation"]
    assert list(values)[-2:] == ["epoch", "checksums"]


def test_a_new_epoch_leaves_the_old_one_readable_until_garbage_is_collected(
    files: EpochFiles[VectorState],
) -> None:
    old = files.state()
    foreign = files.folder / "1.notes"
    foreign.touch()
    new = extended(files, files.begin(replace(old, count=0)), [5])

    assert files.arrays(files.state())[0][0].tolist() == [3, 1]
    files.commit(new)
    files.collect_garbage(new)

    names = {path.name for path in files.folder.iterdir()}
    assert names == {"2.left", "2.right", "state.json", foreign.name}
    assert files.arrays(files.state())[0][0].tolist() == [5]


def test_a_changed_byte_is_found(files: EpochFiles[VectorState]) -> None:
    path = files.folder / "1.right"
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)

    with pytest.raises(IndexFormatError, match=r"1\.right: damaged"):
        files.check(files.state())


@pytest.mark.parametrize(
    "change",
    [
        {"count": -1},
        {"count": 2**62},
        {"count": True},
        {"count": "2"},
        {"epoch": 0},
        {"checksums": [0]},
        {"checksums": [0, 0.5]},
        {"generation": [1]},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_state_that_nobody_wrote_is_refused(
    files: EpochFiles[VectorState], change: dict[str, object]
) -> None:
    path = files.folder / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))

    with pytest.raises(IndexFormatError, match="pairs"):
        files.check(files.state())


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_folder_that_is_a_link_is_refused(files: EpochFiles[VectorState], tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(files.folder)
    before = {path.name for path in files.folder.iterdir()}

    with pytest.raises(IndexFormatError, match="link"):
        files_in(link).begin(VectorState(dim=1))
    with pytest.raises(IndexFormatError, match="link"):
        files_in(link).state()
    with pytest.raises(IndexFormatError, match="link"):
        files_in(link).check(files.state())
    assert {path.name for path in files.folder.iterdir()} == before
