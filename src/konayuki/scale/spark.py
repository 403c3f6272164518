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
    4-bit model through its file. A null text gives null, an empty one a vector of zeros.

    float32 and float16 give `array<float>` (Spark has no half floats), int8 and binary
    `array<tinyint>`, uint8 and ubinary `array<smallint>` (it has no unsigned bytes).

    Args:
        model: folder or hub id, at the same place on every machine; the bundled one unless given.
        dim: keep only the first outputs.
        dtype: as in `StaticModel.encode`; "uint8" is not offered, since it needs ranges.

    Raises:
        InputError: an unknown dtype.
        DimensionError: the model has fewer dimensions.
        MissingExtraError: pyspark or pandas is not installed.
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

    # Spark reads from the hints which kind of UDF this is, and pandas is here only now.
    series: Any = frames.Series
    hint = Iterator[series]
    embed.__annotations__ = {"batches": hint, "return": hint}
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
        InputError: the model of that name is another one here.
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
        column[present] = list(_as_spark_takes(vectors, dtype))
        yield column


def _as_spark_takes(vectors: Any, dtype: Dtype) -> Any:  # noqa: ANN401 - numpy of any dtype
    wider = {"float16": "float32", "ubinary": "int16"}.get(dtype)
    return vectors if wider is None else vectors.astype(wider)
