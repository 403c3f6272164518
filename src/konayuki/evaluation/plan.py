"""Everything that one evaluation measures: sets, ways of ranking, dimensions, bit widths."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from konayuki.choices import MODES, Mode
from konayuki.errors import InputError
from konayuki.evaluation.bits import model_with_bits
from konayuki.evaluation.dense import SetScores, evaluate_dense
from konayuki.evaluation.sets import EvaluationSet, RetrievalSet

if TYPE_CHECKING:
    from konayuki.model import StaticModel


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        modes: Some of "dense" (compares all vectors), "lexical" and "hybrid" (through an Index).
        dims: Dimensions of the vectors; default: those of the model.
        bits: Bits per weight; default: as the model is stored.
        titles: Whether titles are ranked with the texts.

    Examples:
        >>> Plan(modes=("dense", "hybrid"), dims=(512, 256))
        Plan(modes=('dense', 'hybrid'), dims=(512, 256), bits=(), titles=True)
    """

    modes: tuple[str, ...] = ("dense",)
    dims: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()
    titles: bool = True

    def __post_init__(self) -> None:
        """Refuse modes that do not exist."""
        for mode in self.modes:
            if mode not in MODES:
                raise InputError(f"mode is {mode!r}: expected one of {', '.join(MODES)}")


def evaluate(
    model: "StaticModel",
    sets: Iterable[EvaluationSet],
    plan: Plan,
    *,
    show_progress: bool = False,
) -> Iterator[SetScores]:
    """Yield the scores of every set under every setting of the plan.

    Raises:
        InputError: The model cannot be measured with a dimension or bit width of the plan.

    Examples:
        >>> from konayuki.evaluation import Passage, Plan, RetrievalSet
        >>> corpus = {"d1": Passage("富士山は高い。"), "d2": Passage("味噌汁は汁物だ。")}
        >>> mine = RetrievalSet("mine", corpus, {"q": "最高峰の山"}, {"q": {"d1": 1}})
        >>> for scores in evaluate(model, [mine], Plan(modes=("dense", "hybrid"))):
        ...     print(scores.setting.label, scores.metrics["accuracy@1"])
        512 1.0
        hybrid 512 1.0
    """
    sets = sets if len(plan.bits) < 2 else list(sets)
    for number, bits in enumerate(plan.bits or (None,)):
        rounded = model if bits is None else model_with_bits(model, bits)
        # Words do not depend on the weights: one measurement is enough.
        modes = plan.modes if number == 0 else tuple(m for m in plan.modes if m != "lexical")
        for evaluation_set in sets:
            yield from _evaluate_set(rounded, evaluation_set, plan, modes, bits, show_progress)


def _evaluate_set(
    model: "StaticModel",
    evaluation_set: EvaluationSet,
    plan: Plan,
    modes: tuple[str, ...],
    bits: int | None,
    show_progress: bool,
) -> Iterator[SetScores]:
    if "dense" in modes:
        yield from evaluate_dense(
            model,
            evaluation_set,
            plan.dims,
            titles=plan.titles,
            bits=bits,
            show_progress=show_progress,
        )
    if not isinstance(evaluation_set, RetrievalSet) or not {"lexical", "hybrid"} & set(modes):
        return
    from konayuki.evaluation.indexed import evaluate_indexed

    for number, dim in enumerate(plan.dims or (model.dim,)):
        # Words do not depend on the dimension: only the first index answers by words.
        indexed_modes: list[Mode] = ["lexical"] if "lexical" in modes and number == 0 else []
        indexed_modes += ["hybrid"] if "hybrid" in modes else []
        if indexed_modes:
            yield from evaluate_indexed(
                model,
                evaluation_set,
                indexed_modes,
                dim=dim,
                bits=bits,
                titles=plan.titles,
                show_progress=show_progress,
            )
