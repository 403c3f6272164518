"""The names of sentence-transformers that we train with, where versions 5 and 6 keep them."""

import inspect
from typing import Any

try:  # sentence-transformers 6
    from sentence_transformers.base.sampler import BatchSamplers
    from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator
    from sentence_transformers.sentence_transformer.losses import (
        MatryoshkaLoss,
        MultipleNegativesRankingLoss,
    )
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
except ImportError:
    from sentence_transformers.evaluation import SentenceEvaluator
    from sentence_transformers.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
    from sentence_transformers.models import StaticEmbedding
    from sentence_transformers.training_args import BatchSamplers

from konayuki.errors import InputError
from konayuki.training.recipe import Recipe

__all__ = ["BatchSamplers", "SentenceEvaluator", "StaticEmbedding", "batch_sampler", "nested_loss"]


def nested_loss(model: Any, recipe: Recipe, *, gather: bool) -> Any:  # noqa: ANN401 - untyped
    """Return MatryoshkaLoss over MultipleNegativesRankingLoss for a recipe.

    Args:
        model: a `SentenceTransformer`.
        recipe: gives dimensions, their weights, scale and symmetry.
        gather: rank for the passages of all processes, not of the own one alone.

    Raises:
        InputError: the installed version cannot gather.
    """
    settings = recipe.loss
    chosen: dict[str, Any] = {"scale": settings.scale}
    kind = MultipleNegativesRankingLoss
    known = inspect.signature(kind.__init__).parameters
    if gather:
        if "gather_across_devices" not in known:
            raise InputError(
                "loss.gather needs sentence-transformers 5.1 or later with several processes\n"
                "hint: upgrade it, or set loss.gather = false"
            )
        chosen["gather_across_devices"] = True
    if settings.symmetric and "directions" in known:
        chosen["directions"] = ("query_to_doc", "doc_to_query")
        chosen["partition_mode"] = "per_direction"
    elif settings.symmetric:
        from sentence_transformers import losses

        kind = losses.MultipleNegativesSymmetricRankingLoss
    return MatryoshkaLoss(
        model,
        kind(model, **chosen),
        matryoshka_dims=list(recipe.model.dims),
        matryoshka_weights=list(recipe.loss.dim_weights) or None,
    )


def batch_sampler(name: str) -> Any:  # noqa: ANN401 - untyped
    """Return the sampler that a recipe names; texts are compared by hash where that is known."""
    if name == "plain":
        return BatchSamplers.BATCH_SAMPLER
    return getattr(BatchSamplers, "NO_DUPLICATES_HASHED", BatchSamplers.NO_DUPLICATES)
