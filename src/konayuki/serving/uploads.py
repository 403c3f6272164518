"""Text files that arrive over the wire: into the passages of an index."""

from konayuki.errors import FormatError, InputError, MissingExtraError
from konayuki.ingest.records import Record, records_of


def records_of_upload(content: bytes, name: str) -> list[Record]:
    """Return the records of a file, as `konayuki index` would make them of a file on disk.

    Args:
        content: The bytes, in any encoding that Japanese text comes in.
        name: The name, a key: no file of the server is opened under it. Its suffix says how the
            content is read; an unknown one is read as plain text.

    Raises:
        InputError: The bytes are not what the name says, or the server lacks the extra that reads
            this kind; the message names the file.
    """
    try:
        return list(records_of(content, name))
    except (FormatError, MissingExtraError) as error:
        raise InputError(str(error)) from error
