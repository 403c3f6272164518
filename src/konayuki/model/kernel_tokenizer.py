"""Unigram tokenizers of `tokenizer.json`, run by the compiled kernel."""

from collections.abc import Sequence

from konayuki.errors import InputError
from konayuki.model.native import REWRITES, Kernel, Rules, Unigram
from konayuki.model.normalizers import Rewrite, Step, UnsupportedError, chain, composes, lower
from konayuki.model.unigram_definition import UnigramDefinition

# What may happen to white space before a split at white space, without a difference to the words.
IDLE = {"strip left", "strip right", "join spaces", "join white space"}


class KernelTokenizer(Unigram):
    """Segments texts in the kernel: the same ids as the library `tokenizers`, faster.

    The kernel remembers what the first steps of the normaliser do to a character, as long as they
    look no further than its neighbours, and does the later ones symbol by symbol.

    Args:
        definition: The tokenizer.
        kernel: The compiled loops.

    Raises:
        UnsupportedError: A part of the definition that the kernel does not know.
    """

    backend = "kernel"

    def __init__(self, definition: UnigramDefinition, kernel: Kernel) -> None:
        # The first steps, up to one that looks at the whole text.
        whole = (i for i, step in enumerate(definition.steps) if step.in_context is None)
        local = definition.steps[: next(whole, len(definition.steps))]
        try:
            super().__init__(
                kernel,
                definition.pieces,
                definition.scores,
                definition.unk_id,
                chain([step.apply for step in local]),
                _rules(definition, local),
            )
        except InputError as error:  # more characters than there are symbols
            raise UnsupportedError(str(error)) from None
        self._vocab_size = definition.vocab_size

    @property
    def vocab_size(self) -> int:
        """Return one more than the largest id."""
        return self._vocab_size


def _rules(definition: UnigramDefinition, local: Sequence[Step]) -> Rules:
    pretokenizer, added = definition.pretokenizer, definition.added
    rewrites = [step.rewrite for step in definition.steps[len(local) :]]
    if pretokenizer.splits:
        rewrites = [rewrite for rewrite in rewrites if not _is_idle(rewrite)]
    if pretokenizer.rewrites is None or None in rewrites or (pretokenizer.splits and rewrites):
        raise UnsupportedError("a step over whole texts")
    if added.in_normalized_text and rewrites:
        raise UnsupportedError("added tokens in text that is normalised as a whole")
    if -1 in definition.byte_ids:
        raise UnsupportedError("byte fallback without pieces for all bytes")
    all_rewrites = [step for step in (*rewrites, *pretokenizer.rewrites) if step is not None]

    def fold(character: str) -> str | None:
        """Return what the local steps make of a character; None if that is not one character."""
        for step in local:
            if step.in_context is None or step.in_context(character):
                return None
            character = step.apply(character)
            if len(character) != 1:
                return None
        in_context = (step.in_context is None or step.in_context(character) for step in local)
        return None if any(in_context) else character

    # The kernel's own rule for these saves asking for each character of the vocabulary at load.
    usual = all(step.in_context is composes or step.apply is lower for step in local)
    return Rules(
        fold=None if usual else fold,
        splits=pretokenizer.splits,
        mark=pretokenizer.mark,
        rewrites=[
            (REWRITES.index(step.kind), ord(step.old), ord(step.new)) for step in all_rewrites
        ],
        n_normalizer=len(rewrites),
        byte_ids=definition.byte_ids,
        added_ids=[token.token_id for token in added.tokens],
        first_characters=added.first_characters,
        split=added.split,
        split_unclear=added.in_normalized_text,
        look_ahead=any(step.looks_back for step in local),
    )


def _is_idle(rewrite: Rewrite | None) -> bool:
    return rewrite is not None and rewrite.kind in IDLE and rewrite.new == " "
