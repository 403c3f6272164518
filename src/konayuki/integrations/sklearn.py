"""konayuki under scikit-learn: a transformer from texts to vectors.

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

    Clones and pickles carry the name of the model, not its weights, unless the model itself was
    given.

    Args:
        model: the model, its folder or hub id; the bundled one unless given.
        dim: keep only the first `dim` outputs; a grid search can choose it.
        normalize: scale each vector to length one.
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
            InputError: `X` is one string instead of several.
            DimensionError: the model has fewer than `dim` outputs.
        """
        _check_texts(X)
        self._model().encode([], dim=self.dim)
        return self

    def transform(self, X: Iterable[str]) -> NDArray[np.float32]:
        """Return one vector per text: float32 (n_texts, dim); an empty text gives zeros.

        Raises:
            InputError: `X` is one string, or an item is no string.
        """
        _check_texts(X)
        return self._model().encode(X, dim=self.dim, normalize=self.normalize)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns, which `set_output` puts over them."""
        n_columns = self._model().dim if self.dim is None else self.dim
        return np.array([f"konayuki{column}" for column in range(n_columns)], dtype=object)

    def _model(self) -> StaticModel:
        held: tuple[ModelLike, StaticModel] | None = self.__dict__.get(_CACHE)
        if held is None or held[0] is not self.model:  # set_params may have changed it
            held = self.__dict__[_CACHE] = (self.model, model_of(self.model))
        return held[1]

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
        raise InputError(f"X is the string {texts[:20]!r}; expected several texts\nhint: [text]")
    if getattr(texts, "ndim", 1) != 1:
        raise InputError(
            f"X has {getattr(texts, 'ndim', None)} dimensions; expected one column of texts\n"
            'hint: in a ColumnTransformer name the column "text", not ["text"]'
        )
