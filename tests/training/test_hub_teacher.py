"""Teachers that sentence-transformers loads: small BERTs in folders stand for the hub's."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sentence_transformers = pytest.importorskip("sentence_transformers")
transformers = pytest.importorskip("transformers")
pytest.importorskip("pydantic")

from konayuki.errors import InputError, NotFoundError  # noqa: E402
from konayuki.model import StaticModel  # noqa: E402
from konayuki.training.hub_teacher import HubReranker, HubTeacher, joined_pair  # noqa: E402
from konayuki.training.recipe_file import read_recipe  # noqa: E402
from konayuki.training.run import train  # noqa: E402
from training.tiny_bert import write_bert  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
PAIRS = [("雪が降る", "冬の山"), ("冬", "雪が降る冬の山の道"), ("道", "山")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    # Without a list of modules the library takes the mean over the tokens.
    return write_bert(tmp_path_factory.mktemp("teacher") / "bert")


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("reranker") / "bert"
    return write_bert(path, "BertForSequenceClassification", num_labels=1)


def test_vectors_are_those_of_the_library_with_the_prefix(folder: str) -> None:
    texts = ["雪が降る", "冬の山道", "雪"]
    teacher = HubTeacher(folder)
    vectors = teacher.encode(texts, "検索クエリ: ", max_tokens=32)
    library = sentence_transformers.SentenceTransformer(folder, device="cpu")
    expected = library.encode([f"検索クエリ: {text}" for text in texts], normalize_embeddings=True)
    assert vectors.shape == (3, teacher.dim) == (3, 16)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert np.abs(vectors - teacher.encode(texts, "", max_tokens=32)).max() > 0.01


def test_long_texts_are_cut(folder: str) -> None:
    teacher = HubTeacher(folder)
    cut = teacher.encode(["雪が降る冬山", "雪が降る道"], "", max_tokens=6)
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-5)
    whole = teacher.encode(["雪が降る冬山", "雪が降る道"], "", max_tokens=1000)
    assert np.abs(whole[0] - whole[1]).max() > 0.01


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"(?s)distillation\.teacher is .*nothing.*hint:"):
        HubTeacher(str(tmp_path / "nothing"))


def test_scores_are_the_logits_of_the_model(reranker: str) -> None:
    model = transformers.BertForSequenceClassification.from_pretrained(reranker)
    tokenizer = transformers.BertTokenizer.from_pretrained(reranker)
    with torch.inference_mode():
        expected = [model(**tokenizer(*pair, return_tensors="pt")).logits[0] for pair in PAIRS]

    scores = HubReranker(reranker).encode([joined_pair(*pair) for pair in PAIRS])

    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert np.ptp(scores) > 0.01


def test_long_pairs_are_cut(reranker: str) -> None:
    model = HubReranker(reranker)
    pairs = [joined_pair("雪", "冬山の道" + end) for end in ("雪", "道")]
    whole, cut = (model.encode(pairs, max_tokens=most) for most in (1000, 8))
    assert abs(whole[0] - whole[1]) > 1e-3
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)
    assert np.isfinite(model.encode([joined_pair("雪", "山" * 500)])).all()


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        ("BertForSequenceClassification", {"num_labels": 3}, "3 scores for a pair: expected 1"),
        ("BertModel", {}, "0 scores for a pair: expected 1"),
    ],
)
def test_a_model_that_gives_no_score_is_refused(
    kind: str, config: dict[str, int], said: str, tmp_path: Path
) -> None:
    source = write_bert(tmp_path / "bert", kind, **config)
    with pytest.raises(InputError, match=rf"(?s)distillation\.reranker is .*bert.*{said}.*hint:"):
        HubReranker(source)


def test_an_unknown_reranker_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"(?s)distillation\.reranker is .*nothing.*hint:"):
        HubReranker(str(tmp_path / "nothing"))


def test_a_recipe_with_such_a_teacher_trains(folder: str, tmp_path: Path) -> None:
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


def test_a_recipe_with_a_reranker_trains_the_same_from_its_cache(
    folder: str, reranker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "ranked.toml"
    recipe.write_text(
        f'like = "{RECIPES / "smoke.toml"}"\n[distillation]\nteacher = "{folder}"\n'
        f'reranker = "{reranker}"\nreranker_queries = 20\nreranker_candidates = 4\n'
        "word_scale = 15.0\nfirst_steps = 2\n",
        encoding="utf-8",
    )
    asked: list[str] = []
    encode = HubReranker.encode

    def counted(self: HubReranker, texts: list[str], prefix: str, *, max_tokens: int) -> object:
        asked.extend(texts)
        return encode(self, texts, prefix, max_tokens=max_tokens)

    monkeypatch.setattr(HubReranker, "encode", counted)

    def rows(name: str, *changes: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        steps = ["training.steps=3", *changes]
        train(recipe, RECIPES, tmp_path / name, cache=tmp_path / "cache", changes=steps)
        return StaticModel.load(tmp_path / name / "float").weights.float_table().values

    first = rows("first")
    assert len(asked) == len(set(asked)) == 20 * 4
    np.testing.assert_array_equal(rows("second"), first)
    assert len(asked) == 20 * 4  # all scores came from the cache
    assert np.abs(rows("without", 'distillation.reranker=""') - first).max() > 1e-4


def test_the_shipped_recipe_differs_from_the_bundled_one_in_its_teachers() -> None:
    ours, theirs = (
        read_recipe(RECIPES / f"{name}.toml").as_dict()
        for name in ("konayuki-ja", "konayuki-ja-ruri")
    )
    bundled = ours["distillation"].items()
    changed = {key for key, value in bundled if theirs["distillation"][key] != value}
    teachers = {"teacher", "query_prefix", "passage_prefix", "reranker"}
    assert changed == teachers
    assert {key for key in ours if ours[key] != theirs[key]} == {"name", "distillation"}
