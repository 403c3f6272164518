"""Text to vectors: tokenizer, packed rows, pooling, checkpoint layouts."""

from konayuki.model.static import StaticModel

__all__ = ["StaticModel"]
