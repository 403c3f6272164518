"""Checks and batches of the texts that callers give."""

from collections.abc import Iterable, Iterator, Sequence

from konayuki.errors import EmptyTextError, InputError

BATCH_CHARACTERS = 2_000_000  # a batch ends here too, so that long texts do not pile up


def batches_of(texts: Iterable[str], batch_size: int) -> Iterator[list[str]]:
    """Yield the texts in lists of `batch_size`, fewer if they are long.

    Raises:
        InputError: An item is not a string, or the size is not positive.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: expected at least 1")
    batch: list[str] = []
    characters = start = 0
    for text in texts:
        if not isinstance(text, str):
            raise not_a_string(text, start + len(batch))
        batch.append(text)
        characters += len(text)
        if len(batch) >= batch_size or characters >= BATCH_CHARACTERS:
            yield batch
            start += len(batch)
            batch, characters = [], 0
    if batch:
        yield batch


def check_iterable(texts: object) -> None:
    """Refuse what cannot hold texts.

    Raises:
        InputError: `texts` is bytes, None, a number and the like.
    """
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise InputError(
            f"cannot encode {type(texts).__name__}: expected a string or an iterable of strings"
        )


def not_a_string(text: object, index: int) -> InputError:
    """Return the error for an item that is not a string."""
    hint = "\nhint: decode it first, as in data.decode('utf-8')" if isinstance(text, bytes) else ""
    return InputError(f"text {index} is {type(text).__name__}: expected a string{hint}")


def check_not_empty(texts: Sequence[str], start: int) -> None:
    """Refuse texts that are empty or white space.

    Raises:
        EmptyTextError: The message says which text it is.
    """
    for index, text in enumerate(texts, start):
        if not text.strip():
            raise EmptyTextError(f"text {index} is empty: {text[:20]!r}")


def lone_surrogate(texts: Sequence[str], start: int) -> InputError | None:
    """Return the error for the first text that cannot be written as UTF-8, if there is one."""
    for index, text in enumerate(texts, start):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return InputError(
                f"text {index} holds a lone surrogate, U+{ord(text[error.start]):04X}, "
                f"at character {error.start}: expected Unicode text\n"
                "hint: text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')"
            )
    return None
