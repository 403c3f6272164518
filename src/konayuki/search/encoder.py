"""What every index needs of a model, and what a second look needs besides."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from konayuki.arrays import FloatMatrix
from konayuki.model.late import LateTable
from konayuki.model.tokens import TokenBatch


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


@runtime_checkable
class TokenEncoder(Encoder, Protocol):
    """An encoder whose vectors come from rows of tokens; others go without a second look."""

    @property
    def late(self) -> LateTable:
        """The rows as late interaction reads them."""

    def tokenize(self, texts: Sequence[str], /) -> TokenBatch:
        """Return the token ids of the texts."""
