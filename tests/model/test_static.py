import math
import pickle
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.errors import DimensionError, EmptyTextError, InputError
from konayuki.model import StaticModel
from konayuki.model.pooling import Pooler, pool
from konayuki.model.tokens import TokenBatch
from konayuki.model.weights import Pooling, Weights

from .samples import TEXT, as_bytes, ours, random_weights, small_model

TEXTS = ["富士山は高い", "", "The train", "山 " * 700, " \t\u3000", "\u0378", "図書館で本を借りる"]
PROCESSORS = ("compiled", "numpy")
POOLINGS = st.builds(
    Pooling,
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    st.sampled_from([0.5, 7.0, 64.0, math.inf]),
)


@pytest.fixture(params=PROCESSORS)
def processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test on the kernel that was built and on NumPy."""
    if request.param == "numpy":
        monkeypatch.setenv("KONAYUKI_KERNEL", "numpy")


def packed(weights: Weights) -> Weights:
    return Weights(weights.packed_table(), weights.alpha, weights.beta, weights.bias)


def model_of(weights: Weights) -> StaticModel:
    return StaticModel(weights, as_bytes(ours()))


def rows_of(weights: Weights) -> np.ndarray:
    return weights.float_table().values.astype(np.float64)


def counts_of(bag: list[int], pooling: Pooling) -> dict[int, float]:
    """What each distinct token counts, straight from the definition."""
    counts = dict.fromkeys(bag, 0.0)
    for position, token in enumerate(bag):
        counts[token] += 1 / (1 + position / pooling.half_position)
    return {token: count**pooling.tf_power for token, count in counts.items()}


def test_the_plain_mean_is_the_default_and_another_one_another_fingerprint() -> None:
    plain = random_weights(len(ours()["model"]["vocab"]), 16)
    same = replace(plain, pooling=Pooling(1.0, math.inf))
    found = {
        model_of(replace(plain, pooling=Pooling(*values))).fingerprint
        for values in [(1.0, 64.0), (0.5, math.inf), (0.5, 64.0)]
    }
    assert model_of(same).fingerprint == model_of(plain).fingerprint
    assert len(found | {model_of(plain).fingerprint}) == 4


@pytest.mark.usefixtures("processor")
def test_repeating_a_word_and_going_on_move_a_vector_less() -> None:
    weights = random_weights(len(ours()["model"]["vocab"]), 64)
    texts = ["図書館で本を借りる", "図書館で本を借りる" + "富士山" * 20]
    cosines = [
        float(np.prod(model_of(replace(weights, pooling=pooling)).encode(texts), axis=0).sum())
        for pooling in (Pooling(), Pooling(0.5), Pooling(0.5, 16.0))
    ]
    assert cosines[0] < cosines[1] < cosines[2]


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("layout", ["float", "q4"])
@pytest.mark.parametrize("normalize", [True, False])
def test_vectors_are_those_of_torch(layout: str, normalize: bool) -> None:
    torch = pytest.importorskip("torch")
    weights = random_weights(len(ours()["model"]["vocab"]), 64, seed=3)
    weights = packed(weights) if layout == "q4" else weights
    model = model_of(weights)
    ids, offsets = model.tokenize(TEXTS)
    bag = torch.nn.EmbeddingBag.from_pretrained(torch.from_numpy(rows_of(weights)), mode="mean")
    means = bag(torch.from_numpy(ids).long(), torch.from_numpy(offsets[:-1]))
    alpha, beta, bias = (torch.from_numpy(v) for v in (weights.alpha, weights.beta, weights.bias))
    wanted = beta * torch.tanh(alpha * means + bias)
    wanted *= torch.from_numpy(np.diff(offsets) > 0)[:, None]
    wanted = torch.nn.functional.normalize(wanted) if normalize else wanted

    vectors = model.encode(TEXTS, normalize=normalize)

    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    np.testing.assert_allclose(vectors, wanted.numpy(), atol=2e-5)


@given(
    bags=st.lists(st.lists(st.integers(0, 49), max_size=30), max_size=8),
    half=st.integers(1, 20),
    seed=st.integers(0, 2**20),
    normalize=st.booleans(),
    pooling=POOLINGS,
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_kernel_and_numpy_agree_with_a_loop(
    bags: list[list[int]],
    half: int,
    seed: int,
    normalize: bool,
    pooling: Pooling,
    data: st.DataObject,
) -> None:
    weights = replace(packed(random_weights(50, 2 * half, seed)), pooling=pooling)
    dim = data.draw(st.integers(1, 2 * half))
    batch = TokenBatch(
        np.array([i for bag in bags for i in bag], dtype=np.int32),
        np.cumsum([0, *map(len, bags)]).astype(np.int64),
    )
    wanted = np.zeros((len(bags), dim))
    for row, bag in enumerate(bags):
        if bag:
            counts = counts_of(bag, pooling)
            mean = sum(count * rows_of(weights)[token] for token, count in counts.items())
            mean /= sum(counts.values())
            wanted[row] = (weights.beta * np.tanh(weights.alpha * mean + weights.bias))[:dim]
            wanted[row] /= np.linalg.norm(wanted[row]) if normalize else 1

    for vectors in (
        pool(weights, batch, dim=dim, normalize=normalize),
        Pooler(weights).pool(batch, dim=dim, normalize=normalize),
        Pooler(weights.crop(dim)).pool(batch, dim=dim, normalize=normalize),
    ):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, wanted, rtol=2e-6, atol=2e-6)


@pytest.mark.usefixtures("processor")
def test_dim_is_the_start_of_the_vector() -> None:
    model = small_model()
    full = model.encode(TEXTS, normalize=False)
    for dim in (1, 5, 8, 16):
        np.testing.assert_allclose(
            model.encode(TEXTS, dim=dim, normalize=False), full[:, :dim], atol=1e-6
        )
        norms = np.linalg.norm(model.encode(TEXTS, dim), axis=1)
        np.testing.assert_allclose(norms[[0, 2, 3, 5, 6]], 1, atol=1e-6)


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000\x85"])
def test_empty_text_gives_the_zero_vector(text: str) -> None:
    model = small_model()

    assert not model.encode(text).any()
    assert not model.encode([text, "山"], normalize=False)[0].any()
    scores = model.similarity([text, "山"], ["山", text])
    np.testing.assert_allclose(scores, [[0, 0], [1, 0]], atol=1e-6)


def test_strict_refuses_empty_text_by_index() -> None:
    with pytest.raises(EmptyTextError, match="text 3 is empty"):
        small_model().encode(["a", "b", "c", " \n"], strict=True, batch_size=2)
    small_model().encode(["a", "b"], strict=True)


def test_one_text_gives_one_vector() -> None:
    model = small_model()

    assert model.encode("山").shape == (16,)
    np.testing.assert_array_equal(model.encode("山"), model.encode(["山"])[0])


def test_any_iterable_of_texts_will_do() -> None:
    model = small_model()
    wanted = model.encode(TEXTS)

    for texts in (
        tuple(TEXTS),
        iter(TEXTS),
        (t for t in TEXTS),
        np.array(TEXTS),
        dict.fromkeys(TEXTS),
    ):
        np.testing.assert_array_equal(model.encode(texts), wanted)
    for empty in ([], (), iter([])):
        assert model.encode(empty).shape == (0, 16)


@given(batch_size=st.integers(1, 9))
@settings(max_examples=9, deadline=None)
def test_the_batch_size_changes_nothing(batch_size: int) -> None:
    model = small_model()

    np.testing.assert_array_equal(model.encode(TEXTS, batch_size=batch_size), model.encode(TEXTS))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", None], "text 1 is NoneType"),
        (["a", "b", b"c"], "text 2 is bytes(.|\n)*decode"),
        (iter(["a", 3]), "text 1 is int"),
        (b"bytes", "bytes"),
        (None, "NoneType"),
        (7, "int"),
    ],
)
def test_what_is_no_text_is_refused(texts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_model().encode(texts, batch_size=2)


@pytest.mark.parametrize("dim", [0, -1, 17, 1.5, "8", True])
def test_a_dim_that_the_model_lacks_is_refused(dim: object) -> None:
    with pytest.raises(DimensionError, match=f"{dim!r} dimensions: the model has 16"):
        small_model().encode("山", dim=dim)


def test_similarity_is_the_cosine() -> None:
    model = small_model()
    random = np.random.default_rng(0)
    a, b = random.normal(size=(4, 9)), random.normal(size=(3, 9))
    a[2] = 0
    norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    wanted = np.divide(a @ b.T, norms, out=np.zeros((4, 3)), where=norms > 0)

    scores = model.similarity(a, b)

    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, wanted, atol=1e-6)
    np.testing.assert_allclose(model.similarity(a[0], b), wanted[:1], atol=1e-6)
    assert model.similarity([], "山").shape == (0, 1)
    with pytest.raises(DimensionError, match="9 and 16"):
        model.similarity(a, "山")


@pytest.mark.usefixtures("processor")
def test_a_text_of_ten_megabytes_is_the_mean_of_its_tokens() -> None:
    model = small_model()
    text = (TEXT + "\n") * (10_000_000 // len((TEXT + "\n").encode()))

    np.testing.assert_allclose(model.encode(text), model.encode(TEXT + "\n"), atol=1e-5)


def test_a_generator_is_read_batch_by_batch() -> None:
    model = small_model()
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for _ in range(30_000):
            read += 1
            yield "図書館で本を借りるには、カードを見せてください。" + str(read)

    model.encode(islice(texts(), 100))
    tracemalloc.start()
    vectors = model.encode(texts())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(vectors) == 30_000
    assert peak < 2.2 * vectors.nbytes + 4_000_000


def test_a_model_pickles() -> None:
    model = small_model()
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes

    np.testing.assert_array_equal(copy.encode(TEXTS), model.encode(TEXTS))
    assert copy.fingerprint == model.fingerprint


def test_threads_share_a_model() -> None:
    model = small_model()
    wanted = model.encode(TEXTS)
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if not np.array_equal(model.encode(TEXTS), wanted):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_fingerprint_is_that_of_weights_and_tokenizer() -> None:
    model = small_model()
    weights = random_weights(model.vocab_size, 16)
    changed = ours()
    changed["model"]["vocab"][5] = (changed["model"]["vocab"][5][0], -2.0)

    assert model.fingerprint == model_of(weights).fingerprint
    others = {
        model_of(random_weights(model.vocab_size, 16, seed=1)).fingerprint,
        model_of(weights.crop(8)).fingerprint,
        model_of(packed(weights)).fingerprint,
        StaticModel(weights, as_bytes(changed)).fingerprint,
    }
    assert len(others - {model.fingerprint}) == 4


def test_packed_rows_are_held_packed() -> None:
    weights = packed(random_weights(len(ours()["model"]["vocab"]), 64))
    model = model_of(weights)

    assert model.nbytes == model.vocab_size * (64 // 2 + 4) + 3 * 64 * 4
