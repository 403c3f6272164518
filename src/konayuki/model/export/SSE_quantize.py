"""Stable Static Embedding with 4-bit rows, a module of sentence-transformers 5 and 6.

This file and SSE.py travel with the model: they need torch and sentence-transformers, nothing else.
The rows stay packed; a batch unpacks the rows of its own tokens.
"""

# Names and signatures are those that sentence-transformers calls.
# ruff: noqa: ANN001, ANN201, ANN206, D102
# mypy: ignore-errors

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from .SSE import SSE


class SSEQ(SSE):
    """Row codes (vocab_size, dim / 2), high nibble = even column, and one scale per row."""

    weight_file = "embedding.q4_k_m.bin"
    rest_file = "model_rest.safetensors"

    def make_table(self, vocab_size, dim):
        self.register_buffer("codes", torch.zeros(vocab_size, dim // 2, dtype=torch.uint8))
        self.register_buffer("scales", torch.zeros(vocab_size))

    def mean_of_rows(self, ids, offsets):
        rows, places = ids.unique(return_inverse=True)
        codes = self.codes[rows]
        levels = torch.stack([codes >> 4, codes & 15], dim=-1).flatten(1)
        values = (levels / 7.5 - 1) * self.scales[rows, None]
        return self.mean_of(values.to(self.dyt.alpha.dtype), places, offsets)

    @classmethod
    def from_files(cls, tokenizer, find):
        state = load_file(find(cls.rest_file))
        dim = len(state["dyt.alpha"])
        content = np.fromfile(find(cls.weight_file), dtype=np.uint8)
        vocab_size, rest = divmod(len(content), dim // 2 + 4)
        if rest:
            raise ValueError(f"{cls.weight_file}: {len(content)} bytes do not fit {dim} columns")
        module = cls(tokenizer, vocab_size, dim, state.pop("pooling", None))
        module.load_state_dict(state, strict=False)
        codes, scales = np.split(content, [vocab_size * dim // 2])
        module.codes.copy_(torch.from_numpy(codes).view(vocab_size, dim // 2))
        module.scales.copy_(torch.from_numpy(scales.view("<f4").astype(np.float32)))
        return module

    def save_weights(self, folder):
        parts = self.codes.cpu().numpy(), self.scales.float().cpu().numpy().astype("<f4")
        Path(folder, self.weight_file).write_bytes(b"".join(part.tobytes() for part in parts))
        tanh = {f"dyt.{name}": value for name, value in self.dyt.state_dict().items()}
        save_file(tanh | self.pooling_tensor(), Path(folder, self.rest_file))
