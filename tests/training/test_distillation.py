"""What is drawn, and that a student comes nearer to its teacher."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("scipy")

from konayuki.model.tokenizer import build_tokenizer  # noqa: E402
from konayuki.training.crossing import GROUP  # noqa: E402
from konayuki.training.distillation import (  # noqa: E402
    Distillation,
    RankedLists,
    TaughtTexts,
    TextSet,
)
from konayuki.training.gathered_texts import _headwords  # noqa: E402
from konayuki.training.pair_store import some_bags  # noqa: E402
from konayuki.training.preparation import network_of, prepare  # noqa: E402
from konayuki.training.recipe import Recipe  # noqa: E402
from konayuki.training.recipe_file import read_recipe, recipe_from  # noqa: E402
from konayuki.training.run import train  # noqa: E402
from konayuki.training.taught_texts import taught_texts  # noqa: E402
from konayuki.training.teacher import Teacher  # noqa: E402
from konayuki.training.teacher_cache import text_hash  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SMOKE = RECIPES / "smoke.toml"
EVERYTHING = {"files": "*", "sentences": 100, "questions": True, "paraphrases": True}


class Letters:
    """A teacher to whom texts are alike that share letters."""

    dim = 32

    def encode(
        self, texts: Sequence[str], prefix: str, *, max_tokens: int = 512
    ) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        counts = np.full((len(texts), self.dim), 0.1, dtype=np.float32)
        for row, text in enumerate(texts):
            for letter in text:
                counts[row, text_hash(letter) % self.dim] += 1
        vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = counts / np.linalg.norm(
            counts, axis=1, keepdims=True
        )
        return vectors


def smoke_with(**distillation: Any) -> Recipe:
    values = read_recipe(SMOKE).as_dict()
    values["distillation"] |= {"teacher": "teacher"} | distillation
    return recipe_from(values)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def taught(
    recipe: Recipe, cache: Path, second: Letters | None = None
) -> tuple[TaughtTexts, set[str]]:
    """Return the texts of the recipe's distillation, and those that are held out."""
    prepared = prepare(read_recipe(SMOKE), RECIPES, cache, RECIPES)
    tokenizer = build_tokenizer(prepared.tokenizer_json, SMOKE)
    found = taught_texts(
        prepared.store,
        prepared.rows,
        recipe.distillation,
        tokenizer,
        Letters(),
        cache / "teacher",
        second=second,
        seed=0,
    )
    texts = prepared.store.texts()
    held = {texts[one] for task in prepared.tasks for one in task.queries}
    held |= {texts[t.corpus[n]] for t in prepared.tasks for one in t.answers for n in one}
    return found, held


def test_held_out_texts_are_not_taught(cache: Path) -> None:
    recipe = smoke_with(sources=[EVERYTHING])
    found, held = taught(recipe, cache)
    texts, _ = taught(smoke_with(), cache)
    assert held
    names = {one.name for one in found.sets}
    assert {"query", "passage", "sentence", "paraphrase", "questions and sentences"} <= names
    assert len(texts.bags.offsets) < len(found.bags.offsets)
    tokenizer = build_tokenizer(
        (RECIPES / "../src/konayuki/model/bundled/tokenizer.json").resolve().read_bytes(), SMOKE
    )
    known = {tuple(bag) for bag in _bags(found.bags)}
    assert not known & {tuple(bag) for bag in _bags(tokenizer.tokenize(sorted(held)))}


def test_a_source_may_give_its_sentences_and_words_alone(cache: Path) -> None:
    source = {"files": "*", "sentences": 50, "pairs": False, "words": True}
    found, _ = taught(smoke_with(sources=[source]), cache)
    sets = {one.name: one for one in found.sets}
    assert not {"query", "passage"} & set(sets)
    (name,) = set(sets) - {"word", "words and sentences"}
    assert sets[name].same
    assert sets["word"].same
    assert (sets["words and sentences"].queries == sets["word"].queries).all()
    assert (sets["words and sentences"].candidates == sets[name].queries).all()


def test_the_second_teacher_is_heard_where_texts_of_one_kind_meet(cache: Path) -> None:
    recipe = smoke_with(sources=[EVERYTHING], second_teacher="use", second_share=0.25)
    found, _ = taught(recipe, cache, second=Letters())
    assert found.second_vectors is not None
    sets = {one.name: one for one in found.sets}
    rows = sets["sentence"].queries[:20]
    distillation = Distillation(found, recipe)
    both = distillation._logits(sets["sentence"], rows, rows)
    torch.testing.assert_close(both, _mixed(found, rows, recipe), atol=0.1, rtol=0)
    apart = distillation._logits(sets["questions and sentences"], rows, rows)
    torch.testing.assert_close(apart, _mixed(found, rows, recipe, share=0.0), atol=0.1, rtol=0)
    assert not found.second_vectors[torch.from_numpy(sets["passage"].queries)].any()


def _mixed(
    found: TaughtTexts, rows: "np.ndarray[Any, Any]", recipe: Recipe, share: float | None = None
) -> "torch.Tensor":
    settings = recipe.distillation
    share = settings.second_share if share is None else share
    assert found.second_vectors is not None
    first, second = (
        (vectors[rows].float() @ vectors[rows].float().T)
        for vectors in (found.vectors, found.second_vectors)
    )
    logits: torch.Tensor = settings.teacher_scale * ((1 - share) * first + share * second)
    return logits


def test_paraphrases_have_vectors_of_both_teachers_and_a_scale(cache: Path) -> None:
    settings = {"second_teacher": "use", "second_share": 0.25, "paraphrase_scale": 40.0}
    recipe = smoke_with(sources=[EVERYTHING], **settings)
    found, _ = taught(recipe, cache, second=Letters())
    one = next(one for one in found.sets if one.name == "paraphrase")
    rows = one.queries[3:20]
    logits = Distillation(found, recipe)._logits(one, rows, rows)
    torch.testing.assert_close(logits, 2 * _mixed(found, rows, recipe), atol=0.3, rtol=0)


def test_the_head_is_heard_about_paraphrases_alone(cache: Path) -> None:
    asked = {"sources": [EVERYTHING], "second_teacher": "use"}
    plain, _ = taught(smoke_with(**asked), cache, second=Letters())
    headed, _ = taught(smoke_with(**asked, head_steps=20), cache, second=Letters())
    for before, after in zip(plain.sets, headed.sets, strict=True):
        assert (before.vectors is None) == (after.vectors is None) == (before.name != "paraphrase")
        if before.vectors is not None and after.vectors is not None:
            assert (before.vectors - after.vectors).abs().max() > 0.01
            lengths = after.vectors.float().norm(dim=1)
            torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=0.01, rtol=0)


def test_crossed_sentences_join_every_step_in_groups(cache: Path) -> None:
    recipe = smoke_with(sources=[EVERYTHING | {"crossed": 30}], crossed_weight=0.5, batch_size=64)
    found, _ = taught(recipe, cache)
    assert found.crossed is not None
    assert "crossed" not in {one.name for one in found.sets}
    assert found.crossed.groups is not None
    assert found.crossed.groups.shape == (30, GROUP)
    drawn, _ = found.crossed.draw(64, np.random.default_rng(0))
    assert set(drawn) <= set(found.crossed.groups.ravel())
    assert sum(set(group) <= set(drawn) for group in found.crossed.groups) >= 64 // GROUP
    prepared = prepare(read_recipe(SMOKE), RECIPES, cache, RECIPES)
    network = network_of(prepared, recipe, RECIPES, cache)
    distillation = Distillation(found, recipe)

    def rng() -> np.random.Generator:
        return np.random.default_rng(1)

    alone = distillation.loss(network, rng())
    assert distillation.weighted_loss(network, rng()) > recipe.distillation.weight * alone


def test_lists_of_a_reranker_join_every_step(cache: Path) -> None:
    recipe = smoke_with(reranker="any", reranker_weight=0.25, batch_size=24)
    found, _ = taught(recipe, cache)
    sets = {one.name: one for one in found.sets}
    assert [one.name for one in found.sets if one.answers] == ["pairs"]
    rng = np.random.default_rng(5)
    queries = sets["query"].queries[:3]
    passages = np.stack([rng.permutation(sets["passage"].queries)[:8] for _ in queries])
    ranked = RankedLists(queries, passages, torch.randn(3, 8))
    prepared = prepare(read_recipe(SMOKE), RECIPES, cache, RECIPES)
    network = network_of(prepared, recipe, RECIPES, cache)
    alone, both = (
        Distillation(texts, recipe).weighted_loss(network, np.random.default_rng(1))
        for texts in (found, replace(found, ranked=ranked))
    )
    left = network.outputs(some_bags(*found.bags, queries))
    right = network.outputs(some_bags(*found.bags, passages.ravel())).view(3, 8, -1)
    wanted = torch.zeros(())
    for dim in recipe.model.dims:
        cosines = torch.cosine_similarity(left[:, None, :dim], right[..., :dim], dim=-1)
        wanted = wanted + torch.nn.functional.kl_div(
            (recipe.distillation.scale * cosines).log_softmax(1),
            ranked.logits.log_softmax(1),
            reduction="batchmean",
            log_target=True,
        )
    torch.testing.assert_close(both - alone, 0.25 * wanted, rtol=1e-3, atol=1e-4)
    found_gradient, right_gradient = (
        torch.autograd.grad(loss, network.embedding.weight)[0]
        for loss in (both - alone, 0.25 * wanted)
    )
    torch.testing.assert_close(found_gradient, right_gradient, rtol=1e-3, atol=1e-5)


def test_readings_are_no_part_of_a_headword() -> None:
    entries = ["明かり（あかり）", "明かり (akari)", "（接頭辞）", "灯"]
    assert _headwords(entries) == ["明かり", "灯"]


def _bags(batch: Any) -> "list[np.ndarray[Any, Any]]":
    return np.split(batch.ids, batch.offsets[1:-1])


def test_vectors_are_centred_units(cache: Path) -> None:
    found, _ = taught(smoke_with(), cache)
    lengths = found.vectors.float().norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=0.01, rtol=0)
    for one in found.sets:
        if one.same:
            assert found.vectors[torch.from_numpy(one.queries)].float().mean(0).norm() < 0.3


def test_draws_are_distinct_and_pairs_stay_together() -> None:
    rng = np.random.default_rng(0)
    pairs = TextSet("pairs", np.array([0, 0, 1, 2]), np.array([5, 6, 7, 7]), aligned=True)
    partner = {0: {5, 6}, 1: {7}, 2: {7}}
    for _ in range(20):
        queries, candidates = pairs.draw(2, rng)
        assert len(set(queries)) == len(queries)
        assert all(partner[int(one)] & set(candidates.tolist()) for one in queries)
    texts = np.arange(9)
    queries, candidates = TextSet("texts", texts, texts).draw(4, rng)
    assert queries is candidates
    crossing = TextSet("crossing", texts, np.arange(10, 40))
    queries, candidates = crossing.draw(4, rng)
    assert len(set(queries)) == 4
    assert len(set(candidates)) == 8


@pytest.mark.parametrize("word_scale", [0.0, 10.0])
def test_a_student_comes_nearer_to_its_teacher(cache: Path, word_scale: float) -> None:
    recipe = smoke_with(word_scale=word_scale, sources=[EVERYTHING])
    found, _ = taught(recipe, cache)
    prepared = prepare(read_recipe(SMOKE), RECIPES, cache, RECIPES)
    network = network_of(prepared, recipe, RECIPES, cache)
    distillation = Distillation(found, recipe)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.05)
    losses = []
    for step in range(20):
        loss = distillation.loss(network, np.random.default_rng(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_a_recipe_with_a_teacher_trains(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Teacher, "load", lambda: Letters())
    recipe = tmp_path / "taught.toml"
    text = SMOKE.read_text("utf-8")
    recipe.write_text(text + '\n[distillation]\nteacher = "teacher"\nfirst_steps = 5\n', "utf-8")
    records = [train(recipe, RECIPES, tmp_path / name, cache=cache) for name in ("one", "two")]
    plain = train(SMOKE, RECIPES, tmp_path / "plain", cache=cache)
    losses = [[entry.get("loss") for entry in one["history"]] for one in (*records, plain)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
