"""What every index needs of a model; a second look also needs a `TokenEncoder` (token_ids.py)."""

from collections.abc import Sequence
from typing import Protocol

from konayuki.arrays import FloatMatrix


class Encoder(Protocol):
    """Anything that turns texts into vectors and can say which model it is."""

    @property
    def dim(self) -> int:
        """Columns of the vectors."""

    @property
    def fingerprint(self) -> str:
        """A digest that differs between models whose vectors must not be mixed."""

    def encode(self, texts: Sequence[str], /) -> FloatMatrix:
        """Return one vector per text: float32, shape (n_texts, dim); an empty text gives zeros."""
