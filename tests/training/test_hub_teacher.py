"""A teacher that sentence-transformers loads: a small BERT in a folder stands for the hub's."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
sentence_transformers = pytest.importorskip("sentence_transformers")
transformers = pytest.importorskip("transformers")
pytest.importorskip("pydantic")

from konayuki.errors import NotFoundError  # noqa: E402
from konayuki.training.hub_teacher import HubTeacher  # noqa: E402
from konayuki.training.recipe_file import read_recipe  # noqa: E402
from konayuki.training.run import train  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
LETTERS = "雪が降る冬山の道検索クエリ文書: "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a BERT of two layers over single letters, with random weights."""
    path = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(LETTERS)]
    (path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=len(words), intermediate_size=32, max_position_embeddings=64, **sizes
    )
    transformers.BertModel(config).save_pretrained(path)
    transformers.BertTokenizer(str(path / "vocab.txt")).save_pretrained(path)
    return path  # without a list of modules the library takes the mean over the tokens


def test_vectors_are_those_of_the_library_with_the_prefix(folder: Path) -> None:
    texts = ["雪が降る", "冬の山道", "雪"]
    teacher = HubTeacher(str(folder))
    vectors = teacher.encode(texts, "検索クエリ: ", max_tokens=32)
    library = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    expected = library.encode([f"検索クエリ: {text}" for text in texts], normalize_embeddings=True)
    assert vectors.shape == (3, teacher.dim) == (3, 16)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert np.abs(vectors - teacher.encode(texts, "", max_tokens=32)).max() > 0.01


def test_long_texts_are_cut(folder: Path) -> None:
    teacher = HubTeacher(str(folder))
    cut = teacher.encode(["雪が降る冬山", "雪が降る道"], "", max_tokens=6)
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-5)
    whole = teacher.encode(["雪が降る冬山", "雪が降る道"], "", max_tokens=1000)
    assert np.abs(whole[0] - whole[1]).max() > 0.01


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"(?s)distillation\.teacher is .*nothing.*hint:"):
        HubTeacher(str(tmp_path / "nothing"))


def test_a_recipe_with_such_a_teacher_trains(folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "taught.toml"
    recipe.write_text(
        f'like = "{RECIPES / "smoke.toml"}"\n[model]\npiece_vectors = "teacher"\n'
        f'[distillation]\nteacher = "{folder}"\nquery_prefix = "検索クエリ: "\n'
        'passage_prefix = "検索文書: "\nfirst_steps = 2\n',
        encoding="utf-8",
    )
    changes = ["training.steps=3", "training.runs=1"]
    cache = tmp_path / "cache"
    train(recipe, RECIPES, tmp_path / "out", cache=cache, changes=changes)
    answers = sorted(path.name for path in cache.glob("teacher-*/*.vectors"))
    assert answers == ["検索クエリ-32.vectors", "検索文書-128.vectors"]
    (pieces,) = cache.glob("piece-vectors-*.npy")
    assert np.load(pieces).shape[1] == 16


def test_the_shipped_recipe_differs_from_the_bundled_one_in_its_teacher() -> None:
    ours, theirs = (
        read_recipe(RECIPES / f"{name}.toml").as_dict()
        for name in ("konayuki-ja", "konayuki-ja-ruri")
    )
    bundled = ours["distillation"].items()
    changed = {key for key, value in bundled if theirs["distillation"][key] != value}
    assert changed == {"teacher", "query_prefix", "passage_prefix"}
    assert {key for key in ours if ours[key] != theirs[key]} == {"name", "distillation"}
