"""The verbs that take a model: encode, info, quantize, export."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from konayuki.cli import main
from konayuki.model import StaticModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from model.samples import small_model

    small_model().save(tmp_path / "model", layout="float")
    return tmp_path / "model"


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_encode_writes_one_vector_a_line(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "lines.txt"
    text.write_bytes("\ufeff富士山は高い\r\n\n図書館".encode())

    assert run("encode", text, "--out", tmp_path / "v.npy", "--model", folder) == 0

    vectors = np.load(tmp_path / "v.npy")
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(
        vectors, StaticModel.load(folder).encode(["富士山は高い", "", "図書館"])
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.txt", "model", "v.npy"]


def test_encode_reads_stdin_with_options(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO("山\n本\n".encode() * 10_000))
    monkeypatch.setattr(sys, "stdin", stdin)
    out = tmp_path / "v.npy"

    assert run("encode", "-", "--out", out, "--model", folder, "--dim", 5, "--no-normalize") == 0

    vectors = np.load(out)
    wanted = StaticModel.load(folder).encode(["山", "本"], dim=5, normalize=False)
    np.testing.assert_allclose(vectors, np.tile(wanted, (10_000, 1)), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "int8", "binary", "ubinary"])
def test_encode_writes_fewer_bytes(
    folder: Path, tmp_path: Path, dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, out = tmp_path / "texts.txt", tmp_path / "v.npy"
    text.write_bytes("富士山は高い\n図書館\n".encode())

    assert run("encode", text, "--out", out, "--model", folder, "--dtype", dtype) == 0

    wanted = StaticModel.load(folder).encode(["富士山は高い", "図書館"], dtype=dtype)
    vectors = np.load(out)
    assert vectors.dtype == wanted.dtype
    np.testing.assert_array_equal(vectors, wanted)
    assert capsys.readouterr().err.rstrip().endswith(dtype)


def test_encode_of_nothing_is_an_empty_array(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")

    assert (
        run("encode", tmp_path / "empty.txt", "--out", tmp_path / "v.npy", "--model", folder) == 0
    )
    assert np.load(tmp_path / "v.npy").shape == (0, 16)


def test_encode_names_the_line_that_is_not_utf_8(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "sjis.txt"
    text.write_bytes("山\n".encode() + "図書館\n".encode("shift_jis"))

    assert run("encode", text, "--out", tmp_path / "v.npy", "--model", folder) == 1

    assert "sjis.txt, line 2: byte 0 is not UTF-8" in capsys.readouterr().err
    assert not list(tmp_path.glob("v.npy*"))


def test_encode_of_a_missing_file_fails(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("encode", tmp_path / "no.txt", "--out", tmp_path / "v.npy", "--model", folder) == 1
    assert "no.txt" in capsys.readouterr().err


def test_encode_into_a_missing_folder_fails(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "lines.txt"
    text.write_text("山", encoding="utf-8")

    assert run("encode", text, "--out", tmp_path / "no" / "v.npy", "--model", folder) == 1
    assert "cannot write" in capsys.readouterr().err


def test_info_describes_a_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", folder, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    model = StaticModel.load(folder)

    assert facts.pop("kernel")
    assert facts == {
        "model": str(folder),
        "dim": 16,
        "vocab_size": model.vocab_size,
        "bytes": model.nbytes,
        "layout": "float",
        "pooling": "mean",
        "tokenizer": model.tokenizer_backend,
        "fingerprint": model.fingerprint,
    }
    assert run("info", folder) == 0
    assert f"vocab size   {model.vocab_size}" in capsys.readouterr().out


def test_info_of_nothing_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", tmp_path / "nowhere") == 1
    assert "no model folder" in capsys.readouterr().err


def test_info_of_an_unset_variable_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("info", "")
    assert "'': expected a path" in capsys.readouterr().err


def test_quantize_gives_size_and_error(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("quantize", folder, "--out", tmp_path / "q4", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    packed = StaticModel.load(tmp_path / "q4")

    assert packed.layout == "q4"
    assert figures["bytes"] == packed.nbytes
    assert figures["bytes_before"] == StaticModel.load(folder).nbytes
    assert 0.05 < figures["largest_error_of_row_maximum"] <= 1 / 15 + 1e-6


def test_quantize_searches_scales_where_it_is_asked_to(folder: Path, tmp_path: Path) -> None:
    exact = StaticModel.load(folder).weights.float_table().values
    errors = []
    for name, words in (("plain", []), ("nearest", ["--nearest"])):
        assert run("quantize", folder, "--out", tmp_path / name, *words) == 0
        rows = StaticModel.load(tmp_path / name).weights.float_table().values
        errors.append(float(np.square(rows - exact).sum()))
    assert errors[1] < errors[0]


def test_export_writes_the_layout_that_is_asked_for(folder: Path, tmp_path: Path) -> None:
    assert run("export", folder, "--out", tmp_path / "a") == 0
    assert run("export", folder, "--out", tmp_path / "b", "--layout", "q4", "--dim", 8) == 0

    assert StaticModel.load(tmp_path / "a").fingerprint == StaticModel.load(folder).fingerprint
    assert (tmp_path / "a" / "SSE.py").is_file()
    cut = StaticModel.load(tmp_path / "b")
    assert (cut.layout, cut.dim) == ("q4", 8)
