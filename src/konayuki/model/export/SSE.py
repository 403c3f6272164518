"""Stable Static Embedding, a module of sentence-transformers 5 and 6.

This file travels with the model: it needs torch and sentence-transformers, nothing else.
"""

# Names and signatures are those that sentence-transformers calls.
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, ANN204, ANN206, D102
# mypy: ignore-errors

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers.util import load_file_path
from tokenizers import Tokenizer
from torch import nn
from torch.nn.functional import embedding_bag


class SeparableDyT(nn.Module):
    """y = beta * tanh(alpha * x + bias), column by column."""

    def __init__(self, dim):
        super().__init__()
        self.alpha = nn.Parameter(torch.full((dim,), 0.5))
        self.beta = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return self.beta * torch.tanh(self.alpha * x + self.bias)


def counted(ids, offsets, vocab_size, pooling):
    """Return the distinct ids of each bag, their offsets, and what each counts; counts sum to 1.

    The id at position i of its bag counts half / (half + i), 1 if half is 0; a distinct id counts
    (sum over its occurrences) ** power. `pooling` is (power, half).
    """
    power, half = pooling
    ends = torch.cat([offsets[1:], offsets.new_tensor([len(ids)])])
    numbers = torch.arange(len(offsets), device=ids.device)
    bags = torch.repeat_interleave(numbers, (ends - offsets).long())
    keys, places = torch.unique(bags * vocab_size + ids, return_inverse=True)
    positions = torch.arange(len(ids), device=ids.device) - offsets.long()[bags]
    occurrences = half / (half + positions.float()) if half else torch.ones(len(ids))
    counts = torch.zeros(len(keys), device=ids.device)
    counts = counts.index_add_(0, places, occurrences.to(ids.device)) ** power
    bags = keys // vocab_size
    totals = torch.zeros(len(offsets), device=ids.device).index_add_(0, bags, counts)
    distinct = torch.bincount(bags, minlength=len(offsets))
    return keys % vocab_size, distinct.cumsum(0) - distinct, counts / totals[bags]


class SSE(nn.Module):
    """The weighted mean of a text's rows after the tanh; without tokens the zero vector."""

    save_in_root = True
    modalities = ("text",)
    max_seq_length = None  # unlimited; setting it cuts texts at that many tokens
    weight_file = "model.safetensors"

    def __init__(self, tokenizer, vocab_size, dim, pooling=None):
        super().__init__()
        self.tokenizer = tokenizer
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.dim = dim
        self.pooling = None  # power and half position, see `counted`; None for the plain mean
        if pooling is not None and tuple(pooling) != (1, 0):
            self.pooling = (float(pooling[0]), float(pooling[1]))
        self.dyt = SeparableDyT(dim)
        self.make_table(vocab_size, dim)

    def make_table(self, vocab_size, dim):
        self.embedding = nn.EmbeddingBag(vocab_size, dim, mode="mean")

    def mean_of_rows(self, ids, offsets):
        """Return the mean of each bag: (n_texts, dim)."""
        return self.mean_of(self.embedding.weight, ids, offsets)

    def mean_of(self, rows, ids, offsets):
        """Return the mean of each bag of some rows: (n_texts, dim)."""
        if self.pooling is None:
            return embedding_bag(ids, rows, offsets, mode="mean")
        ids, offsets, counts = counted(ids, offsets, len(rows), self.pooling)
        return embedding_bag(
            ids, rows, offsets, mode="sum", per_sample_weights=counts.to(rows.dtype)
        )

    def preprocess(self, inputs, prompt=None, **kwargs):
        """Return padded ids and their mask, (n_texts, longest): losses cut them by text."""
        texts = [prompt + text for text in inputs] if prompt else list(inputs)
        encodings = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        bags = [torch.tensor(encoding.ids[: self.max_seq_length]).long() for encoding in encodings]
        counts = torch.tensor([len(bag) for bag in bags])
        ids = nn.utils.rnn.pad_sequence(bags, batch_first=True)
        mask = (torch.arange(ids.shape[1]) < counts[:, None]).long()
        return {"input_ids": ids, "attention_mask": mask}

    def tokenize(self, texts, **kwargs):
        return self.preprocess(texts, **kwargs)

    def forward(self, features, **kwargs):
        mask = features["attention_mask"].bool()
        counts = mask.sum(dim=1)
        means = self.mean_of_rows(features["input_ids"][mask], counts.cumsum(0) - counts)
        features["sentence_embedding"] = self.dyt(means) * (counts > 0)[:, None]
        return features

    def get_sentence_embedding_dimension(self):
        return self.dim

    def get_embedding_dimension(self):
        return self.dim

    @classmethod
    def load(
        cls,
        model_name_or_path,
        subfolder="",
        token=None,
        cache_folder=None,
        revision=None,
        local_files_only=False,
        **kwargs,
    ):
        def find(name):
            path = load_file_path(
                model_name_or_path,
                name,
                subfolder=subfolder,
                token=token,
                cache_folder=cache_folder,
                revision=revision,
                local_files_only=local_files_only,
            )
            if path is None:
                raise FileNotFoundError(f"{name} is missing in {model_name_or_path}")
            return path

        return cls.from_files(Tokenizer.from_file(find("tokenizer.json")), find)

    @classmethod
    def from_files(cls, tokenizer, find):
        state = load_file(find(cls.weight_file))
        pooling = state.pop("pooling", None)
        module = cls(tokenizer, *state["embedding.weight"].shape, pooling)
        module.load_state_dict(state)
        return module

    def save(self, output_path, *args, **kwargs):
        folder = Path(output_path)
        self.save_weights(folder)
        self.tokenizer.save(str(folder / "tokenizer.json"))
        for name in ("SSE.py", "SSE_quantize.py"):
            source = Path(__file__).with_name(name)
            if source.is_file() and source.parent != folder.resolve():
                shutil.copy(source, folder / name)

    def save_weights(self, folder):
        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(state | self.pooling_tensor(), folder / self.weight_file)

    def pooling_tensor(self):
        return {} if self.pooling is None else {"pooling": torch.tensor(self.pooling)}
