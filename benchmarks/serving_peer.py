"""The peer of benchmarks/serving.py: sentence-transformers behind FastAPI, as people write it.

A StaticEmbedding of 1024 dimensions with our tokenizer and random rows: for speed, what the rows
hold does not matter.
"""

import sys

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

DIM = 1024
torch.manual_seed(0)
app = FastAPI()
model = SentenceTransformer(
    modules=[StaticEmbedding(Tokenizer.from_file(sys.argv[1]), embedding_dim=DIM)], device="cpu"
)


class EmbeddingsRequest(BaseModel):
    """As OpenAI's."""

    input: list[str]
    model: str


class Embedding(BaseModel):
    """One vector."""

    object: str = "embedding"
    index: int
    embedding: list[float]


class EmbeddingsResponse(BaseModel):
    """All vectors."""

    object: str = "list"
    data: list[Embedding]
    model: str


@app.post("/v1/embeddings")
def embeddings(request: EmbeddingsRequest) -> EmbeddingsResponse:
    """Return unit vectors."""
    vectors = model.encode(request.input, normalize_embeddings=True)
    data = [Embedding(index=i, embedding=vector.tolist()) for i, vector in enumerate(vectors)]
    return EmbeddingsResponse(data=data, model=request.model)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
