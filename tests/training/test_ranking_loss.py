"""The loss against autograd and sentence-transformers' own losses."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from torch.nn import functional  # noqa: E402 - torch is optional

from konayuki.training.ranking_loss import nested_ranking_loss, ranking_loss  # noqa: E402


def units(n: int, dim: int, seed: int) -> "torch.Tensor":
    torch.manual_seed(seed)
    return functional.normalize(torch.randn(n, dim), dim=-1).requires_grad_()


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (200, 300)])
def test_loss_and_gradients_are_those_of_cross_entropy(n: int, m: int, symmetric: bool) -> None:
    queries, candidates = units(n, 16, 0), units(m, 16, 1)
    scores = 20 * queries @ candidates.T
    labels = torch.arange(n)
    wanted = functional.cross_entropy(scores, labels)
    if symmetric:
        wanted = (wanted + functional.cross_entropy(scores.T[:n], labels)) / 2
    wanted_gradients = torch.autograd.grad(wanted, (queries, candidates))
    loss = ranking_loss(queries, candidates, symmetric=symmetric)
    torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=1e-5)
    for found, right in zip(
        torch.autograd.grad(loss, (queries, candidates)), wanted_gradients, strict=True
    ):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weights", [(), (1.0, 0.5, 3.0)])
def test_nested_loss_is_matryoshka_over_multiple_negatives(weights: tuple[float, ...]) -> None:
    from sentence_transformers.util import cos_sim

    torch.manual_seed(2)
    queries, candidates = torch.randn(40, 64), torch.randn(50, 64)
    wanted = sum(
        weight
        * functional.cross_entropy(
            20 * cos_sim(queries[:, :dim], candidates[:, :dim]), torch.arange(40)
        )
        for dim, weight in zip((64, 32, 8), weights or (1, 1, 1), strict=True)
    )
    found = nested_ranking_loss(queries, candidates, dims=(64, 32, 8), weights=weights)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_bfloat16_products_stay_near() -> None:
    queries, candidates = units(256, 64, 3), units(256, 64, 4)
    exact = ranking_loss(queries, candidates)
    rough = ranking_loss(queries, candidates, dtype=torch.bfloat16)
    assert abs(exact - rough) < 0.02 * exact
