"""konayuki for scikit-learn: a transformer from texts to vectors.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from konayuki.integrations.sklearn import KonayukiVectorizer

classifier = make_pipeline(KonayukiVectorizer(dim=256), LogisticRegression())
classifier.fit(texts, labels)
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import InputError
from konayuki.extras import require
from konayuki.integrations.models import ModelLike, model_of
from konayuki.model import StaticModel

require("sklearn", "sklearn")

from sklearn.base import BaseEstimator, TransformerMixin  # noqa: E402 - after the gate

_CACHE = "_loaded"  # not a parameter and not fitted: kept out of pickles and clones


class KonayukiVectorizer(TransformerMixin, BaseEstimator):
    """Texts to vectors; it learns nothing, so `fit` only checks.

    Clones and pickles carry the name of the model, not its weights, unless a `StaticModel` was
    given.

    Args:
        model: A model, its folder or its hub id; default: the bundled model.
        dim: Use only the first `dim` dimensions; a grid search can choose it.
        normalize: Whether each vector is scaled to length one.
    """

    def __init__(
        self, model: ModelLike = None, *, dim: int | None = None, normalize: bool = True
    ) -> None:
        self.model = model
        self.dim = dim
        self.normalize = normalize

    def fit(self, X: Iterable[str], y: object = None) -> "KonayukiVectorizer":
        """Check the parameters and return the transformer itself.

        Raises:
            InputError: `X` is a single string.
            DimensionError: The model has fewer than `dim` dimensions.
        """
        _check_texts(X)
        self._model().encode([], dim=self.dim)
        return self

    def transform(self, X: Iterable[str]) -> NDArray[np.float32]:
        """Return one vector per text: float32 (n_texts, dim); an empty text gives zeros.

        Raises:
            InputError: `X` is a single string, or an item is not a string.
        """
        _check_texts(X)
        return self._model().encode(X, dim=self.dim, normalize=self.normalize)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns, which `set_output` uses."""
        n_columns = self._model().dim if self.dim is None else self.dim
        return np.array([f"konayuki{column}" for column in range(n_columns)], dtype=object)

    def _model(self) -> StaticModel:
        cached: tuple[ModelLike, StaticModel] | None = self.__dict__.get(_CACHE)
        if cached is None or cached[0] is not self.model:  # set_params may have changed it
            cached = self.__dict__[_CACHE] = (self.model, model_of(self.model))
        return cached[1]

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop(_CACHE, None)
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - a class of an optional package
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        return tags


def _check_texts(texts: object) -> None:
    if isinstance(texts, str):
        raise InputError(f"X is the string {texts[:20]!r}: expected several texts\nhint: [text]")
    if getattr(texts, "ndim", 1) != 1:
        raise InputError(
            f"X has {getattr(texts, 'ndim', None)} dimensions: expected one column of texts\n"
            'hint: in a ColumnTransformer name the column "text", not ["text"]'
        )
