"""Exported folders in stock sentence-transformers, as the model card uses them."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from konayuki.model import StaticModel
from konayuki.model.pooling import Pooler
from konayuki.model.tokens import as_batch
from konayuki.model.weights import Pooling

from .samples import small_model

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytestmark = pytest.mark.slow

FIRST_EXAMPLE = """
import torch
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(
    {folder!r},
    trust_remote_code=True,
    device="cuda" if torch.cuda.is_available() else "cpu",
)
sentences = ["富士山は高い山です。", "図書館で本を借ります。"]
with torch.no_grad():
    embeddings = model.encode(
        sentences, convert_to_tensor=True, normalize_embeddings=True, batch_size=32
    )
cosine_sim = model.similarity(embeddings, embeddings)
print("embeddings shape:", embeddings.shape)
print(cosine_sim)
"""
SECOND_EXAMPLE = """
import torch
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(
    {folder!r},
    trust_remote_code=True,
    device="cuda" if torch.cuda.is_available() else "cpu",
)
query = "高い山はどれですか?"
sentences = ["富士山は高い山です。", "みそ汁はだしを取ります。", "本を借ります。"]
with torch.no_grad():
    embeddings = model.encode(
        [query] + sentences, convert_to_tensor=True, normalize_embeddings=True, batch_size=32
    )
print("embeddings shape:", embeddings.shape)
similarities = model.similarity(embeddings[0], embeddings[1:])
for i, similarity in enumerate(similarities[0].tolist()):
    print(f"{{similarity:.05f}}: {{sentences[i]}}")
"""
EVERYTHING = """
import sys
import numpy as np
import torch
from sentence_transformers import SentenceTransformer

folder, again, texts = sys.argv[1], sys.argv[2], sys.argv[4:]
model = SentenceTransformer(folder, trust_remote_code=True, device="cpu")
vectors = {"full": model.encode(texts, normalize_embeddings=True), "raw": model.encode(texts)}
for dim in (8, 4):
    cut = SentenceTransformer(folder, trust_remote_code=True, device="cpu", truncate_dim=dim)
    vectors[str(dim)] = cut.encode(texts, normalize_embeddings=True)
model.save_pretrained(again)
reloaded = SentenceTransformer(again, trust_remote_code=True, device="cpu")
vectors["again"] = reloaded.encode(texts, normalize_embeddings=True)

features = model.preprocess(texts) if hasattr(model, "preprocess") else model.tokenize(texts)
slices = [slice(start, start + 2) for start in range(0, len(texts), 2)]
parts = [{name: value[part] for name, value in features.items()} for part in slices]
sliced = torch.cat([model(part)["sentence_embedding"] for part in parts])  # as GradCache does
vectors["sliced"] = sliced.detach().numpy()
model.max_seq_length = 2
vectors["short"] = model.encode(texts)
assert model.max_seq_length == 2
assert "konayuki" not in sys.modules
np.savez(sys.argv[3], **vectors)
"""
TEXTS = ["富士山は高い", "", "The train", "山 " * 700, " \u3000", "図書館で本を借りる", "\u0378"]


def run_python(code: str, *arguments: str) -> str:
    """Run code in a process that cannot see this package."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**environment, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_first_tokens(model: StaticModel, texts: list[str], n_tokens: int) -> np.ndarray:
    ids, offsets = model.tokenize(texts)
    kept = [ids[start:stop][:n_tokens] for start, stop in pairwise(offsets)]
    return Pooler(model.weights).pool(as_batch(kept), dim=model.dim, normalize=False)


@pytest.mark.parametrize("layout", ["float", "q4"])
@pytest.mark.parametrize("pooling", [Pooling(), Pooling(0.5, 64.0), Pooling(0.5)], ids=str)
def test_sentence_transformers_gives_our_vectors(
    tmp_path: Path, layout: str, pooling: Pooling
) -> None:
    made = small_model()
    made = made.with_weights(replace(made.weights, pooling=pooling))
    made.save(tmp_path / "model", layout=layout)
    out = tmp_path / "vectors.npz"
    run_python(EVERYTHING, str(tmp_path / "model"), str(tmp_path / "again"), str(out), *TEXTS)
    theirs = np.load(out)
    model = StaticModel.load(tmp_path / "model")

    for name in ("full", "again"):
        np.testing.assert_allclose(theirs[name], model.encode(TEXTS), atol=1e-5)
    for name in ("raw", "sliced"):
        np.testing.assert_allclose(theirs[name], model.encode(TEXTS, normalize=False), atol=1e-5)
    for dim in (8, 4):
        np.testing.assert_allclose(theirs[str(dim)], model.encode(TEXTS, dim=dim), atol=1e-5)
    np.testing.assert_allclose(theirs["short"], of_first_tokens(model, TEXTS, 2), atol=1e-5)
    again = StaticModel.load(tmp_path / "again")
    np.testing.assert_allclose(again.encode(TEXTS), model.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize("layout", ["float", "q4"])
@pytest.mark.parametrize(("example", "n_scores"), [(FIRST_EXAMPLE, 4), (SECOND_EXAMPLE, 3)])
def test_the_examples_of_the_card_run(
    tmp_path: Path, layout: str, example: str, n_scores: int
) -> None:
    small_model().save(tmp_path, layout=layout)

    output = run_python(example.format(folder=str(tmp_path)))

    rows = 2 if n_scores == 4 else 4
    assert f"embeddings shape: torch.Size([{rows}, 16])" in output
    assert output.count(".") >= n_scores
