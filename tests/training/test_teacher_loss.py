"""The loss of distillation against torch's own divergence."""

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402 - torch is optional

from konayuki.training.teacher_loss import nested_divergence  # noqa: E402


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
        wanted = wanted + dim / 8 * functional.kl_div(
            scores.log_softmax(1), logits.log_softmax(1), reduction="batchmean", log_target=True
        )
    found = nested_divergence(
        queries, candidates, logits, dims=(16, 4), weights=(2.0, 0.5), scale=20
    )
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
    found = nested_divergence(texts, texts, logits, dims=(8,), same=True)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        torch.autograd.grad(found, texts)[0],
        torch.autograd.grad(wanted, texts)[0],
        rtol=1e-3,
        atol=1e-5,
    )


def test_a_student_that_says_what_the_teacher_says_has_nothing_to_learn() -> None:
    torch.manual_seed(1)
    queries, candidates = torch.randn(6, 8).requires_grad_(), torch.randn(5, 8)
    logits = 20 * functional.normalize(queries) @ functional.normalize(candidates).T
    loss = nested_divergence(queries, candidates, logits.detach(), dims=(8,))
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert torch.autograd.grad(loss, queries)[0].abs().max() < 1e-5
