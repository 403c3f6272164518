"""Spark: a column of texts into a column of vectors, by a pandas UDF."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from konayuki.choices import PLAIN_DTYPES, Dtype
from konayuki.errors import InputError
from konayuki.extras import require
from konayuki.model import StaticModel

if TYPE_CHECKING:
    import pandas


def embed_udf(model: str | None = None, *, dim: int | None = None, dtype: Dtype = "float32") -> Any:  # noqa: ANN401 - pyspark.sql.udf.UserDefinedFunction, of an optional package
    """Return a UDF from strings to vectors.

    `frame.withColumn("vector", embed_udf()("text"))` adds a column of them.

    Every Python worker loads the model once, and the workers of a machine share the rows of a
    4-bit model through its file. A null text gives null, an empty text a vector of zeros.

    float32 and float16 give `array<float>` (Spark has no half floats), int8 and binary
    `array<tinyint>`, uint8 and ubinary `array<smallint>` (it has no unsigned bytes).

    Args:
        model: Folder (with the same path on every machine) or hub id; default: the bundled model.
        dim: Use only the first `dim` dimensions.
        dtype: Type of a value, as in `StaticModel.encode`, except "uint8", which needs ranges.

    Raises:
        InputError: The dtype is unknown.
        DimensionError: The model has fewer dimensions.
        MissingExtraError: pyspark or pandas is not installed.

    Examples:
        >>> to_vectors = embed_udf(dim=256, dtype="int8")
        >>> to_vectors.returnType.simpleString()
        'array<tinyint>'
    """
    functions = require("pyspark.sql.functions", "spark")
    types = require("pyspark.sql.types", "spark")
    frames = require("pandas", "spark")
    if dtype not in PLAIN_DTYPES:
        raise InputError(f"dtype is {dtype!r}: expected one of {', '.join(PLAIN_DTYPES)}")
    loaded = StaticModel.load(model)
    loaded.encode([], dim=dim)  # a wrong dimension is an error here, not in every worker
    fingerprint = loaded.fingerprint
    element = {
        "float32": types.FloatType(),
        "float16": types.FloatType(),
        "int8": types.ByteType(),
        "binary": types.ByteType(),
        "ubinary": types.ShortType(),
    }[dtype]

    def embed(batches: Any) -> Any:  # noqa: ANN401 - see below
        yield from embed_series(batches, model, fingerprint, dim, dtype)

    # Spark finds the kind of UDF in the type hints; they name pandas, which is imported only here.
    series: Any = frames.Series
    series_iterator = Iterator[series]
    embed.__annotations__ = {"batches": series_iterator, "return": series_iterator}
    return functions.pandas_udf(embed, types.ArrayType(element))


def embed_series(
    batches: Iterator["pandas.Series[str]"],
    model: str | None,
    fingerprint: str,
    dim: int | None,
    dtype: Dtype,
) -> Iterator["pandas.Series[Any]"]:
    """Yield the vectors of series of texts: what runs in a Python worker.

    Raises:
        InputError: The model of that name is a different one on this machine.
    """
    import pandas as pd

    loaded = StaticModel.load(model)
    if loaded.fingerprint != fingerprint:
        raise InputError(
            f"model {model or 'bundled'!r} is {loaded.fingerprint} on this machine: expected "
            f"{fingerprint}\nhint: install the same version everywhere"
        )
    for texts in batches:
        present = texts.notna()
        vectors = loaded.encode(texts[present].tolist(), dim=dim, dtype=dtype)
        column = pd.Series([None] * len(texts), index=texts.index, dtype=object)
        # Spark has no type for these two.
        wider = {"float16": "float32", "ubinary": "int16"}.get(dtype)
        column[present] = list(vectors if wider is None else vectors.astype(wider))
        yield column
