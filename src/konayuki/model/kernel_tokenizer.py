"""Unigram tokenizers of `tokenizer.json`, run by the compiled kernel."""

from collections.abc import Sequence

from konayuki.arrays import FloatMatrix
from konayuki.model.native import Kernel, Table, Unigram
from konayuki.model.normalizers import Definition, UnsupportedError, build_normalizer
from konayuki.model.tokens import TokenBatch

# Steps that treat a character the same way whatever is farther away than Unicode's normalisation
# forms look: the kernel remembers what they do to one character.
LOCAL_STEPS = frozenset({"NFC", "NFD", "NFKC", "NFKD", "Lowercase"})


class KernelTokenizer:
    """Segments in the kernel what `tokenizer.json` defines: the ids of `tokenizers`, sooner.

    Args:
        definition: the parsed `tokenizer.json`.
        kernel: the compiled loops.

    Raises:
        UnsupportedError: a part of the definition that the kernel does not know.
    """

    backend = "kernel"

    def __init__(self, definition: Definition, kernel: Kernel) -> None:
        model = definition["model"]
        check_supported(definition)
        vocabulary = model["vocab"]
        self._unigram = Unigram(
            kernel,
            [piece for piece, _ in vocabulary],
            [score for _, score in vocabulary],
            model["unk_id"],
            build_normalizer(definition.get("normalizer")),
        )
        self._vocab_size = len(vocabulary)

    @property
    def vocab_size(self) -> int:
        """Return the number of pieces."""
        return self._vocab_size

    def encode(self, texts: Sequence[str]) -> TokenBatch:
        """Return the ids of the texts.

        Raises:
            UnicodeEncodeError: a text holds a lone surrogate.
        """
        return TokenBatch(*self._unigram.tokenize(texts))

    def vectors(
        self,
        texts: Sequence[str],
        table: Table,
        *,
        dim: int,
        normalize: bool,
        out: FloatMatrix | None = None,
    ) -> FloatMatrix:
        """Return what pooling the ids gives, float32 (n_texts, dim), in one call of the kernel.

        Raises:
            UnicodeEncodeError: a text holds a lone surrogate.
        """
        return self._unigram.encode(texts, table, dim, normalize=normalize, out=out)


def check_supported(definition: Definition) -> None:
    """Refuse definitions that ask for more than a local normaliser and a split at white space.

    Raises:
        UnsupportedError: the message says what it is.
    """
    model = definition["model"]
    if model.get("byte_fallback") or model["unk_id"] is None:
        raise UnsupportedError("byte fallback or no unknown piece")
    if definition.get("added_tokens"):
        raise UnsupportedError("added tokens")
    if _steps(definition.get("pre_tokenizer"), "pretokenizers") != ["WhitespaceSplit"]:
        raise UnsupportedError("words that are not what lies between white space")
    others = set(_steps(definition.get("normalizer"), "normalizers")) - LOCAL_STEPS
    if others:
        raise UnsupportedError(f"normaliser {', '.join(sorted(others))}")


def _steps(definition: Definition | None, parts: str) -> list[str]:
    """Return the types of a normaliser or pre-tokeniser and of what is nested in it."""
    if definition is None:
        return []
    if definition["type"] == "Sequence":
        return [step for part in definition[parts] for step in _steps(part, parts)]
    return [str(definition["type"])]
