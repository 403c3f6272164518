"""What a vector database has to offer to take passages: another one is one more module."""

from typing import Protocol

from konayuki.scale.passages import PassageSource


class Sink(Protocol):
    """A place in a vector database, such as a collection, that passages are copied to."""

    def write(self, passages: PassageSource, *, show_progress: bool = False) -> int:
        """Store the passages, replace existing ones with the same ids, and return their number.

        Args:
            passages: Passages with vectors, from `open_passages`.
            show_progress: Draw a bar if stderr is a terminal.

        Raises:
            InputError: The place holds vectors of another model.
        """
