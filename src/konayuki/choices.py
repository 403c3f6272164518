"""Closed sets of words that packages and the command line share; cheap to import."""

from typing import Literal, get_args

Mode = Literal["hybrid", "dense", "lexical"]
MODES: tuple[Mode, ...] = get_args(Mode)

Sort = Literal["score", "date"]
SORTS: tuple[Sort, ...] = get_args(Sort)

Dtype = Literal["float32", "float16", "int8", "uint8", "binary", "ubinary"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
# uint8 needs ranges, which have to be calibrated on vectors first.
PLAIN_DTYPES: tuple[Dtype, ...] = ("float32", "float16", "int8", "binary", "ubinary")
