"""Text files that arrive over the wire: into the passages of an index."""

from konayuki.errors import FormatError, MissingExtraError
from konayuki.ingest.records import Record, records_of
from konayuki.serving.problems import Problem


def records_of_upload(content: bytes, name: str) -> list[Record]:
    """Return the records of a file, as `konayuki index` would make them of a file on disk.

    Args:
        content: The bytes, in any encoding that Japanese text comes in.
        name: The name, a key: no file of the server is opened under it. Its suffix says how the
            content is read; an unknown one is read as plain text.

    Raises:
        Problem: The bytes are not what the name says, or the server lacks the extra that reads
            this kind; the message names the file.
    """
    try:
        return list(records_of(content, name))
    except MissingExtraError as error:
        raise Problem(422, "missing_extra", str(error)) from error
    except FormatError as error:
        raise Problem(422, "unreadable_file", str(error)) from error
