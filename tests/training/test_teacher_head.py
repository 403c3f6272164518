"""What a linear map learns from paraphrases."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from konayuki.training.teacher_head import BATCH_PAIRS, learned_head  # noqa: E402

DIM, MEANING = 16, 6


def paraphrases(n: int) -> "torch.Tensor":
    """Return 2 n unit vectors, row i and row n + i alike in a few columns, random in the rest."""
    generator = torch.Generator().manual_seed(0)
    meaning = torch.randn(n, MEANING, generator=generator)
    noise = torch.randn(2 * n, DIM - MEANING, generator=generator)
    return torch.nn.functional.normalize(torch.cat([meaning.repeat(2, 1), noise], dim=1), dim=1)


def found(vectors: "torch.Tensor", n: int) -> float:
    """Return the share of sentences whose nearest other half is their paraphrase."""
    unit = torch.nn.functional.normalize(vectors, dim=1)
    nearest = (unit[:n] @ unit[n:].T).argmax(dim=1)
    return float((nearest == torch.arange(n)).float().mean())


def test_new_paraphrases_are_found_through_the_head() -> None:
    n = 400
    vectors = paraphrases(n)
    taught, new = np.arange(n // 2), np.arange(n // 2, n)
    pairs = [np.stack([part, part + n], axis=1) for part in np.array_split(taught, 2)]
    head = learned_head(vectors, pairs, steps=600, scale=20.0)
    assert head.shape == (DIM, DIM)
    unseen = torch.from_numpy(np.concatenate([new, new + n]))
    before = found(vectors[unseen], len(new))
    assert found(vectors[unseen] @ head, len(new)) > before + 0.1


def test_no_steps_are_the_identity_and_the_seed_decides() -> None:
    vectors = paraphrases(BATCH_PAIRS * 2)
    pairs = [np.stack([np.arange(BATCH_PAIRS * 2), np.arange(BATCH_PAIRS * 2) + 512], axis=1)]
    assert torch.equal(learned_head(vectors, pairs, steps=0, scale=20.0), torch.eye(DIM))
    first, same, other = (
        learned_head(vectors, pairs, steps=5, scale=20.0, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_a_text_of_several_pairs_is_no_wrong_answer_to_itself() -> None:
    vectors = paraphrases(4)
    pairs = [np.array([[0, 4], [0, 5], [1, 5]])]
    assert torch.isfinite(learned_head(vectors, pairs, steps=3, scale=20.0)).all()
