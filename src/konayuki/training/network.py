"""The trained network: the exported sentence-transformers module, fed with flat bags of tokens.

Training uses the class that exported models carry and adds a second kind of input:
features with `offsets` hold the tokens of a batch end to end, without padding, as a store of pairs
gives them. Features with a mask (GradCache losses, `encode`) take the path of exported models.
"""

import math
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as functional
from tokenizers import Tokenizer

from konayuki.arrays import HALF_RANGE, LEVELS, MARGIN, FloatVector
from konayuki.model.export.SSE import SSE
from konayuki.model.packed import FloatTable
from konayuki.model.tokens import TokenBatch
from konayuki.model.weights import Pooling, Weights, straight_tanh
from konayuki.training.recipe import ModelSettings

ALPHA = 0.5  # the slope of a fresh tanh, so that the first means stay in its straight part
TEACHER_SHARE = 0.9  # of the variance of a row that starts from a teacher's vector
EVENNESS = 0.5  # of principal components: 0 keeps their strengths, 1 makes them equal

Features = dict[str, torch.Tensor]


class TrainedSSE(SSE):
    """`SSE` for flat bags, with optional 4-bit rows in the forward pass."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        vocab_size: int,
        dim: int,
        pooling: FloatVector | None = None,
        *,
        tanh: bool = True,
    ) -> None:
        super().__init__(tokenizer, vocab_size, dim, pooling)  # type: ignore[no-untyped-call]
        self._pooling = Pooling() if pooling is None else Pooling.from_array(pooling)
        self._rounded: torch.Tensor | None = None
        if not tanh:
            self.dyt = torch.nn.Identity()

    def see_quantized_rows(self, quantized: bool) -> None:
        """Pool the rows as the 4-bit layout would keep them now, or the float rows.

        Gradients pass straight through to the float rows. Rows are rounded here, once for all
        texts of a step: call this before each step.
        """
        self._rounded = rounded_rows(self.embedding.weight.detach()) if quantized else None

    def forward(self, features: Features, **kwargs: Any) -> Features:  # noqa: ANN401
        """Add `sentence_embedding` to the features: float32 (n_texts, dim)."""
        if "offsets" not in features:
            return cast("Features", super().forward(features, **kwargs))  # type: ignore[no-untyped-call]
        rows = self.embedding.weight
        if self._rounded is not None:
            rows = _StraightThrough.apply(rows, self._rounded)
        offsets = features["offsets"]
        counts = features.get("counts")
        means = functional.embedding_bag(
            features["input_ids"],
            rows,
            offsets,
            mode="mean" if counts is None else "sum",
            per_sample_weights=counts,
        )
        ends = torch.cat([offsets[1:], offsets.new_tensor([len(features["input_ids"])])])
        features["sentence_embedding"] = self.dyt(means) * (ends > offsets)[:, None]
        return features

    def outputs(self, bags: TokenBatch) -> torch.Tensor:
        """Return the outputs of some texts, with gradients: float32 (n_texts, dim)."""
        features: Features = {}
        if not self._pooling.is_plain:
            bags, counts = self._pooling.counted(bags)
            lengths = np.diff(bags.offsets)
            totals = np.bincount(np.repeat(np.arange(len(lengths)), lengths), counts)
            counts /= np.repeat(totals, lengths).astype(np.float32)
            features["counts"] = torch.from_numpy(counts)
        features |= {
            "input_ids": torch.from_numpy(bags.ids),
            "offsets": torch.from_numpy(bags.offsets[:-1].astype(np.int32)),
        }
        vectors: torch.Tensor = self(features)["sentence_embedding"]
        return vectors

    def weights(self) -> Weights:
        """Return the numbers, as `konayuki.model` keeps them.

        Without tanh they hold one that is straight to single precision.
        """
        straight = isinstance(self.dyt, torch.nn.Identity)
        tanh = [] if straight else [self.dyt.alpha, self.dyt.beta, self.dyt.bias]
        table, *arrays = (
            parameter.detach().float().cpu().numpy().copy()
            for parameter in (self.embedding.weight, *tanh)
        )
        alpha, beta, bias = arrays or straight_tanh(table.shape[1])
        return Weights(FloatTable(table), alpha, beta, bias, self._pooling)


class _StraightThrough(torch.autograd.Function):
    """Replaces values in the forward pass; gradients pass unchanged to the replaced ones."""

    @staticmethod
    def forward(
        context: Any,  # noqa: ANN401 - torch declares none
        rows: torch.Tensor,
        others: torch.Tensor,
    ) -> torch.Tensor:
        return others.view_as(rows)

    @staticmethod
    def backward(
        context: Any,  # noqa: ANN401
        gradient: torch.Tensor,
    ) -> tuple[torch.Tensor, None]:
        return gradient, None


def rounded_rows(rows: torch.Tensor) -> torch.Tensor:
    """Return rows as the 4-bit layout of the original SSE format gives them back."""
    scales = rows.abs().amax(dim=1, keepdim=True) + float(MARGIN)
    levels = ((rows / scales + 1) * float(HALF_RANGE)).round_().clamp_(0, float(LEVELS))
    return levels.div_(float(HALF_RANGE)).sub_(1).mul_(scales)


def piece_directions(vectors: np.ndarray[Any, Any], dim: int) -> torch.Tensor:
    """Return a teacher's vectors of the pieces as table columns: float32 (vocab_size, dim).

    Principal components, the strongest first, so that the first columns, which the nested
    dimensions share, hold most; their strengths are evened out by half. Columns beyond the
    teacher's are zero; the mean square of the others is 1.
    """
    centred = torch.from_numpy(np.asarray(vectors, dtype=np.float32))
    centred = centred - centred.mean(dim=0)
    left, strengths, _ = torch.linalg.svd(centred, full_matrices=False)
    components = left * (strengths / strengths[0]) ** (1 - EVENNESS)
    components /= components.square().mean().sqrt()
    columns = torch.zeros(len(components), dim)
    shared = min(dim, components.shape[1])
    columns[:, :shared] = components[:, :shared]
    return columns


def fresh_network(
    tokenizer: Tokenizer,
    settings: ModelSettings,
    token_counts: np.ndarray[Any, Any],
    piece_vectors: np.ndarray[Any, Any] | None,
    *,
    seed: int,
) -> TrainedSSE:
    """Return a network at its start.

    Args:
        tokenizer: The tokenizer; each of its pieces has a row.
        settings: The settings of the model.
        token_counts: How often each piece occurs in the training texts.
        piece_vectors: A teacher's vectors of the pieces, (vocab_size, any), or None.
        seed: Decides the random table.
    """
    vocab_size, dim = len(token_counts), settings.dims[0]
    pooling = Pooling(settings.tf_power, settings.half_position or math.inf)
    network = TrainedSSE(tokenizer, vocab_size, dim, pooling.to_array(), tanh=settings.tanh)
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(vocab_size, dim, generator=generator)
    if piece_vectors is not None:
        columns = piece_directions(piece_vectors, dim)
        # The teacher fills its columns; the total of both parts keeps the mean square at 1.
        fill = (columns.square().mean() + 1e-12).rsqrt()
        table = table * (1 - TEACHER_SHARE) ** 0.5 + columns * fill * TEACHER_SHARE**0.5
    if settings.rarity_power:
        # (log(1 / share) / its mean) ** power: a rare piece says more about its text.
        surprises = np.log(1 / ((token_counts + 1.0) / (token_counts + 1.0).sum()))
        lengths = (surprises / surprises.mean()) ** settings.rarity_power
        table *= torch.from_numpy(lengths.astype(np.float32))[:, None]
    # A piece that no training text holds would stay noise, so it gets a row of zeros.
    table[torch.from_numpy(token_counts == 0)] = 0.0
    with torch.no_grad():
        network.embedding.weight.copy_(table)
        if settings.tanh:
            network.dyt.alpha.fill_(ALPHA)
    return network
