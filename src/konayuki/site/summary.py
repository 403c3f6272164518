"""What building the search of a site did, in numbers."""

from dataclasses import dataclass, field


@dataclass
class Summary:
    """The result of `build_site`.

    Attributes:
        out: The folder that was written.
        pages: Pages, or documents of an index, with text.
        passages: Passages that they were cut into.
        dim: Dimensions of the vectors.
        bits: Bits of a number in a vector: 8 or 4.
        files: Files in the folder.
        written: Files that were written; the others were there already.
        removed: Files of an earlier build that were removed.
        total_bytes: Bytes of all files.
        first_bytes: Bytes that a page loads before the first letter is typed: runtime and start.
        model_bytes: Bytes of the model.
        vector_bytes: Bytes of the vectors.
        skipped: Pages that could not be read, with reasons.
        left_out: Numbers of pages that were left out on purpose, by reason.
    """

    out: str
    pages: int = 0
    passages: int = 0
    dim: int = 0
    bits: int = 0
    files: int = 0
    written: int = 0
    removed: int = 0
    total_bytes: int = 0
    first_bytes: int = 0
    model_bytes: int = 0
    vector_bytes: int = 0
    skipped: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
