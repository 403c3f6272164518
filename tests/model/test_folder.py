"""Model folders: both layouts byte for byte, and what damaged ones do."""

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from konayuki.errors import (
    CheckpointError,
    DimensionError,
    InputError,
    KonayukiError,
    MissingExtraError,
    NotFoundError,
)
from konayuki.model import StaticModel
from konayuki.model.packed import quantize
from konayuki.model.weights import Pooling

from .samples import as_bytes, ours, random_weights, small_model

LAYOUTS = ("float", "q4")
FILES = {
    "float": {"model.safetensors", "SSE.py"},
    "q4": {"embedding.q4_k_m.bin", "model_rest.safetensors", "SSE.py", "SSE_quantize.py"},
}
ALWAYS = {"tokenizer.json", "modules.json", "config_sentence_transformers.json"}
each_layout = pytest.mark.parametrize("layout", LAYOUTS)


@each_layout
def test_a_saved_model_loads_the_same(tmp_path: Path, layout: str) -> None:
    model = small_model()
    model.save(tmp_path / "deep" / "model", layout=layout)
    loaded = StaticModel.load(tmp_path / "deep" / "model")
    loaded.save(tmp_path / "again", layout=layout)

    assert {path.name for path in (tmp_path / "again").iterdir()} == FILES[layout] | ALWAYS
    assert loaded.layout == layout
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (tmp_path / "deep" / "model" / path.name).read_bytes()
    if layout == "float":
        assert loaded.fingerprint == model.fingerprint


def test_the_4_bit_file_is_codes_then_scales(tmp_path: Path) -> None:
    model = small_model()
    weights = random_weights(model.vocab_size, 16)
    model.save(tmp_path, layout="q4")
    packed = quantize(weights.float_table().values)

    content = (tmp_path / "embedding.q4_k_m.bin").read_bytes()

    assert content == packed.codes.tobytes() + struct.pack(
        f"<{len(packed.scales)}f", *packed.scales
    )
    rest = load_file(tmp_path / "model_rest.safetensors")
    assert set(rest) == {"dyt.alpha", "dyt.beta", "dyt.bias"}
    np.testing.assert_array_equal(rest["dyt.alpha"], weights.alpha)
    np.testing.assert_array_equal(rest["dyt.beta"], weights.beta)
    np.testing.assert_array_equal(rest["dyt.bias"], weights.bias)


def test_the_float_file_holds_four_named_tensors(tmp_path: Path) -> None:
    model = small_model()
    weights = random_weights(model.vocab_size, 16)
    model.save(tmp_path, layout="float")

    tensors = load_file(tmp_path / "model.safetensors")

    assert {name: tensor.dtype for name, tensor in tensors.items()} == dict.fromkeys(
        ("embedding.weight", "dyt.alpha", "dyt.beta", "dyt.bias"), np.dtype(np.float32)
    )
    np.testing.assert_array_equal(tensors["embedding.weight"], weights.float_table().values)


@each_layout
@pytest.mark.parametrize("pooling", [Pooling(0.5, 64.0), Pooling(0.5), Pooling(1.0, 10.0)])
def test_how_rows_are_weighted_is_saved(tmp_path: Path, layout: str, pooling: Pooling) -> None:
    plain = small_model()
    model = plain.with_weights(replace(plain.weights, pooling=pooling))
    model.save(tmp_path, layout=layout)

    loaded = StaticModel.load(tmp_path)

    assert loaded.weights.pooling == pooling
    assert loaded.weights.crop(8).pooling == pooling


@each_layout
@pytest.mark.parametrize(
    "values", [[0.5], [-0.1, 0.0], [1.1, 0.0], [0.5, -1.0], [np.nan, 0.0], [0.5, np.inf]]
)
def test_wrong_weights_of_rows_are_refused(
    tmp_path: Path, layout: str, values: list[float]
) -> None:
    small_model().save(tmp_path, layout=layout)
    path = tmp_path / ("model.safetensors" if layout == "float" else "model_rest.safetensors")
    save_file({**load_file(path), "pooling": np.array(values, np.float32)}, path)

    with pytest.raises(CheckpointError, match="pooling"):
        StaticModel.load(tmp_path)


def test_the_json_files_name_the_module(tmp_path: Path) -> None:
    for layout, module in (("float", "SSE.SSE"), ("q4", "SSE_quantize.SSEQ")):
        small_model().save(tmp_path / layout, layout=layout)
        (entry,) = json.loads((tmp_path / layout / "modules.json").read_bytes())
        config = json.loads((tmp_path / layout / "config_sentence_transformers.json").read_bytes())

        assert entry == {"idx": 0, "name": "0", "path": "", "type": module}
        assert config["similarity_fn_name"] == "cosine"


def test_the_tokenizer_is_written_as_it_was_read(tmp_path: Path) -> None:
    small_model().save(tmp_path)

    assert (tmp_path / "tokenizer.json").read_bytes() == as_bytes(ours())


@each_layout
def test_saving_another_layout_leaves_one_model(tmp_path: Path, layout: str) -> None:
    small_model(seed=1).save(tmp_path, layout=LAYOUTS[layout == "float"])
    small_model(seed=2).save(tmp_path, layout=layout)
    fresh = tmp_path / "fresh"
    small_model(seed=2).save(fresh, layout=layout)

    assert StaticModel.load(tmp_path).fingerprint == StaticModel.load(fresh).fingerprint


@each_layout
@pytest.mark.parametrize("dim", [1, 5, 8, 16])
def test_loading_fewer_dims_is_cutting_vectors(tmp_path: Path, layout: str, dim: int) -> None:
    small_model().save(tmp_path, layout=layout)
    full = StaticModel.load(tmp_path)
    small = StaticModel.load(tmp_path, dim=dim)

    assert small.dim == dim
    assert small.encode("富士山").shape == (dim,)
    assert small.nbytes < full.nbytes or dim == 16
    np.testing.assert_allclose(
        small.encode(["富士山", ""]), full.encode(["富士山", ""], dim=dim), atol=1e-6
    )


@pytest.mark.parametrize("place", ["file", "file/model"])
def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine", "utf-8")

    with pytest.raises(InputError, match=r"file.*: expected a folder\nhint: "):
        small_model().save(tmp_path / place)
    assert (tmp_path / "file").read_text("utf-8") == "mine"


def test_4_bit_rows_of_an_odd_number_of_dims_are_refused(tmp_path: Path) -> None:
    small_model().save(tmp_path / "q4")
    model = StaticModel.load(tmp_path / "q4", dim=5)

    with pytest.raises(DimensionError, match="5 dimensions: expected an even number"):
        model.save(tmp_path / "out", layout="q4")
    model.save(tmp_path / "out", layout="float")
    np.testing.assert_allclose(
        StaticModel.load(tmp_path / "out").encode("山"), model.encode("山"), atol=1e-6
    )


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'q5': expected one of 'q4', 'float'"):
        small_model().save(tmp_path, layout="q5")


def damages(path: Path) -> dict[str, bytes | None]:
    content = path.read_bytes()
    noise = np.random.default_rng(len(content)).bytes(len(content))
    half = content[: len(content) // 2]
    return {
        "emptied": b"",
        "halved": half,
        "noise": noise,
        "one byte short": content[:-1],
        "removed": None,
    }


@pytest.mark.parametrize("damage", ["emptied", "halved", "noise", "one byte short", "removed"])
@pytest.mark.parametrize(
    ("layout", "name"),
    [(layout, name) for layout in LAYOUTS for name in sorted(FILES[layout] | ALWAYS)],
)
def test_a_damaged_file_is_named_or_does_not_matter(
    tmp_path: Path, layout: str, name: str, damage: str
) -> None:
    small_model().save(tmp_path, layout=layout)
    wanted = StaticModel.load(tmp_path).encode("富士山は高い")
    content = damages(tmp_path / name)[damage]
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    try:
        vector = StaticModel.load(tmp_path).encode("富士山は高い")
    except KonayukiError as error:
        assert name in str(error)
    else:
        assert np.isfinite(vector).all()
        if name != "embedding.q4_k_m.bin":  # any bytes of the right number are codes
            np.testing.assert_array_equal(vector, wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["embedding.weight", "dyt.alpha", "dyt.beta", "dyt.bias"])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, name: str, value: float) -> None:
    small_model().save(tmp_path, layout="float")
    tensors = load_file(tmp_path / "model.safetensors")
    tensors[name].flat[3] = value
    save_file(tensors, tmp_path / "model.safetensors")

    with pytest.raises(CheckpointError, match=rf"model\.safetensors: {name} holds a value"):
        StaticModel.load(tmp_path)


def test_a_scale_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    small_model().save(tmp_path, layout="q4")
    path = tmp_path / "embedding.q4_k_m.bin"
    path.write_bytes(path.read_bytes()[:-4] + struct.pack("<f", np.nan))

    with pytest.raises(CheckpointError, match=r"embedding\.q4_k_m\.bin: a row scale"):
        StaticModel.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("dyt.alpha", np.ones(15, np.float32), r"dyt\.alpha has shape \(15,\): expected \(16,\)"),
        ("dyt.bias", np.ones((4, 4), np.float32), r"dyt\.bias has shape \(4, 4\)"),
        ("embedding.weight", np.ones(16, np.float32), r"embedding\.weight has shape \(16,\)"),
        ("embedding.weight", np.ones((3, 16), np.float32), r"the table has 3 rows"),
        ("embedding.weight", np.ones((3, 16), np.int64), r"embedding\.weight is I64"),
    ],
)
def test_other_shapes_and_types_are_refused(
    tmp_path: Path, name: str, tensor: np.ndarray, message: str
) -> None:
    small_model().save(tmp_path, layout="float")
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({**tensors, name: tensor}, tmp_path / "model.safetensors")

    with pytest.raises(CheckpointError, match=message):
        StaticModel.load(tmp_path)


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    small_model().save(tmp_path, layout="q4")
    save_file({"dyt.alpha": np.ones(16, np.float32)}, tmp_path / "model_rest.safetensors")

    with pytest.raises(CheckpointError, match=r"model_rest\.safetensors: no tensor 'dyt\.beta'"):
        StaticModel.load(tmp_path)


@pytest.mark.parametrize(
    "name", ["./nowhere", "/no/where", "a/b/c", "nowhere", "~/no-such-model", ""]
)
def test_a_path_that_is_not_there_is_never_asked_of_the_hub(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "konayuki.model.hub.download", lambda *_, **__: pytest.fail("asked the hub")
    )

    with pytest.raises(NotFoundError, match="no model"):
        StaticModel.load(name)
    with pytest.raises(NotFoundError, match="no model folder"):
        StaticModel.load(Path("owner/name"))


def test_a_name_within_a_folder_that_is_there_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()

    with pytest.raises(NotFoundError, match="no model folder 'models/small'"):
        StaticModel.load("models/small")


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError, match=r"expected a file embedding\.q4_k_m\.bin or model\.safe"
    ):
        StaticModel.load(tmp_path)


def test_a_hub_id_is_downloaded_with_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    small_model().save(tmp_path / "snapshot")
    asked: list[tuple[str, str | None, str | bool | None]] = []

    def snapshot_download(
        repo_id: str, *, revision: str | None, token: str | bool | None, allow_patterns: list[str]
    ) -> str:
        asked.append((repo_id, revision, token))
        kept = shutil.ignore_patterns("*")
        assert "tokenizer.json" in allow_patterns
        assert kept
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)

    model = StaticModel.load("owner/name", revision="v1", token="secret", dim=8)  # noqa: S106

    assert asked == [("owner/name", "v1", "secret")]
    assert model.dim == 8


def test_a_hub_that_does_not_answer_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(NotFoundError, match=r"cannot get 'owner/name' at revision v1(.|\n)*hint: "):
        StaticModel.load("owner/name", revision="v1")


def test_without_the_hub_the_error_gives_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)

    with pytest.raises(MissingExtraError, match=r"konayuki\[hub\]"):
        StaticModel.load("owner/name")
