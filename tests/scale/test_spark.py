"""Spark in this process. Slow: it starts a Java machine."""

import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from konayuki.errors import DimensionError, InputError
from konayuki.model import StaticModel

pytest.importorskip("pyspark")
pytest.importorskip("pandas")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("Spark needs java", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # those of pyspark itself
TEXTS = ["富士山は高い", "", None, "The train leaves at 9:30", "図書館で本を借りる"]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ.setdefault("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    yield session
    session.stop()


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "binary", "ubinary"])
def test_a_column_of_vectors_is_that_of_encode(spark: Any, dtype: Any) -> None:
    from konayuki.scale.spark import embed_udf

    frame = spark.createDataFrame(list(enumerate(TEXTS)), "id int, text string").repartition(2)
    vectors = frame.withColumn("vector", embed_udf(dim=64, dtype=dtype)("text"))
    rows = sorted(vectors.collect(), key=lambda row: row.id)

    present = [text for text in TEXTS if text is not None]
    wanted = StaticModel.load().encode(present, dim=64, dtype=dtype)
    assert rows[2].vector is None
    found = [row.vector for row in rows if row.vector is not None]
    np.testing.assert_array_equal(np.array(found, wanted.dtype), wanted)
    assert [row.text for row in rows] == TEXTS


def test_what_cannot_be_done_is_refused_before_the_job(spark: Any) -> None:
    from konayuki.scale.spark import embed_udf

    with pytest.raises(InputError, match="dtype is 'uint8'"):
        embed_udf(dtype="uint8")
    with pytest.raises(DimensionError):
        embed_udf(dim=513)


def test_a_worker_with_another_model_says_so() -> None:
    from konayuki.scale.spark import embed_series

    with pytest.raises(InputError, match=r"on this machine: expected abc"):
        next(embed_series(iter([]), None, "abc", None, "float32"))
