"""On which line of its file a passage starts."""

# How far ahead a passage is looked for: one whose words a reader has changed is not found at all.
_WINDOW = 50_000
_START = 60  # characters of a passage that are compared


class Lines:
    """The lines of a file, in which its passages are looked for one after another.

    Args:
        text: The whole file.
        overlap: Characters that a passage may share with the one before.
    """

    def __init__(self, text: str, overlap: int = 0) -> None:
        self._text = text
        self._overlap = overlap
        self._place = 0  # where the next passage can start
        self._counted = 0
        self._line = 1

    def of(self, passage: str) -> int:
        """Return the line from 1 on which the next passage starts.

        Of one that does not stand in the file word by word it is the line behind the last one that
        does.
        """
        start = passage.lstrip().partition("\n")[0][:_START].rstrip("\r")
        end = self._place + _WINDOW + len(passage)
        found = self._text.find(start, self._place, end) if start else -1
        place = self._place if found < 0 else found
        self._line += self._text.count("\n", self._counted, max(self._counted, place))
        self._counted = max(self._counted, place)
        if found >= 0:
            self._place = found + max(1, len(passage) - self._overlap)
        return self._line
