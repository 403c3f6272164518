"""The losses against autograd, torch's own divergence and sentence-transformers' losses."""

from typing import get_args

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from torch.nn import functional  # noqa: E402 - torch is optional

from konayuki.model.tokens import as_batch  # noqa: E402
from konayuki.training.losses import (  # noqa: E402
    LOSSES,
    NEVER,
    Sides,
    nested,
    nested_divergence,
    ranking_loss,
)
from konayuki.training.recipe import LossSettings  # noqa: E402
from konayuki.training.recipe_file import recipe_from  # noqa: E402
from training.tiny_network import network  # noqa: E402

QUERIES, PASSAGES = [[1], [2, 3], [4]], [[1, 2], [3], [4, 5], [6, 1]]  # the last is a negative
EXACT = {"model": {"dims": [8]}, "training": {"bf16": False}}


def units(n: int, dim: int, seed: int) -> "torch.Tensor":
    torch.manual_seed(seed)
    return functional.normalize(torch.randn(n, dim), dim=-1).requires_grad_()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (200, 300)])
def test_loss_and_gradients_are_those_of_cross_entropy(n: int, m: int) -> None:
    queries, candidates = units(n, 16, 0), units(m, 16, 1)
    scores = 20 * queries @ candidates.T
    labels = torch.arange(n)
    wanted = functional.cross_entropy(scores, labels)
    wanted_gradients = torch.autograd.grad(wanted, (queries, candidates))
    loss = ranking_loss(queries, candidates)
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=1e-5)
    for found, right in zip(
        torch.autograd.grad(loss, (queries, candidates)), wanted_gradients, strict=True
    ):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)


def test_nested_loss_is_matryoshka_over_multiple_negatives() -> None:
    from sentence_transformers.util import cos_sim

    torch.manual_seed(2)
    queries, candidates = torch.randn(40, 64), torch.randn(50, 64)
    wanted = sum(
        functional.cross_entropy(
            20 * cos_sim(queries[:, :dim], candidates[:, :dim]), torch.arange(40)
        )
        for dim in (64, 32, 8)
    )
    found = nested(ranking_loss, queries, candidates, (64, 32, 8))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_the_symmetric_loss_is_the_mean_of_both_directions() -> None:
    module, recipe = network(dim=8), recipe_from({"sources": [{"files": "*"}], **EXACT})
    bags = [as_batch([np.array(bag, np.int32) for bag in side]) for side in (QUERIES, PASSAGES)]
    queries, passages = (functional.normalize(module.outputs(side), dim=1) for side in bags)
    scores, labels = 20 * queries @ passages.T, torch.arange(len(QUERIES))
    wanted = functional.cross_entropy(scores, labels)
    wanted = (wanted + functional.cross_entropy(scores.T[: len(QUERIES)], labels)) / 2

    found = LOSSES["symmetric"](module, Sides(*bags), recipe)

    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    for one, other in zip(
        torch.autograd.grad(found, list(module.parameters())),
        torch.autograd.grad(wanted, list(module.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_bfloat16_products_stay_near() -> None:
    queries, candidates = units(256, 64, 3), units(256, 64, 4)
    exact = ranking_loss(queries, candidates)
    rough = ranking_loss(queries, candidates, dtype=torch.bfloat16)
    assert abs(exact - rough) < 0.02 * exact


@pytest.mark.parametrize(("n", "m"), [(1, 2), (7, 5), (200, 300)])
def test_loss_and_gradients_are_those_of_kl_div(n: int, m: int) -> None:
    torch.manual_seed(n)
    queries, candidates = torch.randn(n, 16).requires_grad_(), torch.randn(m, 16).requires_grad_()
    logits = 3 * torch.randn(n, m)
    wanted = torch.zeros(())
    for dim in (16, 4):
        scores = 20 * functional.cosine_similarity(
            queries[:, None, :dim], candidates[None, :, :dim], dim=-1
        )
        wanted = wanted + functional.kl_div(
            scores.log_softmax(1), logits.log_softmax(1), reduction="batchmean", log_target=True
        )
    found = nested_divergence(queries, candidates, logits, dims=(16, 4), scale=20)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    right = torch.autograd.grad(wanted, (queries, candidates))
    for one, other in zip(torch.autograd.grad(found, (queries, candidates)), right, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_texts_are_not_compared_with_themselves() -> None:
    torch.manual_seed(0)
    texts = torch.randn(9, 8).requires_grad_()
    logits = torch.randn(9, 9)
    kept = ~torch.eye(9, dtype=torch.bool)
    scores = 20 * functional.cosine_similarity(texts[:, None], texts[None], dim=-1)
    wanted = functional.kl_div(
        scores[kept].view(9, 8).log_softmax(1),
        logits[kept].view(9, 8).log_softmax(1),
        reduction="batchmean",
        log_target=True,
    )
    found = nested_divergence(texts, texts, logits, dims=(8,))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(found, texts)[0],
        torch.autograd.grad(wanted, texts)[0],
        rtol=1e-3,
        atol=1e-5,
    )


def test_pairs_that_never_meet_do_not_count() -> None:
    torch.manual_seed(0)
    queries, candidates = torch.randn(7, 8).requires_grad_(), torch.randn(9, 8).requires_grad_()
    listed = torch.stack([torch.randperm(9)[:4] for _ in range(7)])
    values = torch.randn(7, 4)
    scores = 20 * functional.cosine_similarity(queries[:, None], candidates[listed], dim=-1)
    wanted = functional.kl_div(
        scores.log_softmax(1), values.log_softmax(1), reduction="batchmean", log_target=True
    )
    logits = torch.full((7, 9), NEVER).scatter(1, listed, values)
    found = nested_divergence(queries, candidates, logits, dims=(8,))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    for one, other in zip(
        torch.autograd.grad(found, (queries, candidates)),
        torch.autograd.grad(wanted, (queries, candidates)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_a_student_that_says_what_the_teacher_says_has_nothing_to_learn() -> None:
    torch.manual_seed(1)
    queries, candidates = torch.randn(6, 8).requires_grad_(), torch.randn(5, 8)
    logits = 20 * functional.normalize(queries) @ functional.normalize(candidates).T
    loss = nested_divergence(queries, candidates, logits.detach(), dims=(8,))
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert torch.autograd.grad(loss, queries)[0].abs().max() < 1e-5


def test_a_recipe_may_name_every_loss_and_no_other() -> None:
    assert set(get_args(LossSettings.model_fields["kind"].annotation)) == set(LOSSES)
