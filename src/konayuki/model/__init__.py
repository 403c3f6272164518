"""Text to vectors: tokenizer, packed rows, pooling, checkpoint layouts."""

from konayuki.model.dtypes import calibrate, quantize_vectors
from konayuki.model.static import StaticModel

__all__ = ["StaticModel", "calibrate", "quantize_vectors"]
