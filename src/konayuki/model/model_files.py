"""Files of a model folder, read with care: a folder may come from anybody."""

import os
import stat
from pathlib import Path

from konayuki.errors import CheckpointError

LARGEST_TOKENIZER = 1 << 28  # bytes; those of 250,000 pieces have 17 MB
LARGEST_MODULES = 1 << 20
LARGEST_WEIGHTS = 1 << 36
HUB_SNAPSHOTS, HUB_BLOBS = "snapshots", "blobs"


def check_model_file(path: Path, largest: int) -> None:
    """Refuse what is not an ordinary file of the model itself.

    A link could make somebody else's folder show a private file, and a pipe or a device never
    ends. The cache of huggingface_hub, which consists of links, is the exception: they may lead to
    its folder of blobs.

    Args:
        path: The file.
        largest: The most bytes that it may have.

    Raises:
        CheckpointError: It is missing, a link, not an ordinary file, or too large.
    """
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            if not _leads_to_blobs(path):
                raise CheckpointError(
                    f"{path}: a link: expected the file itself\nhint: copy the file into the folder"
                )
            status = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path}: expected an ordinary file")
    if status.st_size > largest:
        raise CheckpointError(f"{path}: {status.st_size} bytes: expected at most {largest}")


def read_model_file(path: Path, largest: int) -> bytes:
    """Return the content of a file of a model folder.

    Args:
        path: The file.
        largest: The most bytes that it may have.

    Raises:
        CheckpointError: It is missing, cannot be read, or is not an ordinary file of that size.
    """
    check_model_file(path, largest)
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None


def _leads_to_blobs(path: Path) -> bool:
    """Return whether a link in the cache of the hub leads to the blobs of the same model."""
    for folder in path.parents:
        if folder.parent.name == HUB_SNAPSHOTS:
            blobs = folder.parent.parent / HUB_BLOBS
            return os.path.realpath(path).startswith(os.path.realpath(blobs) + os.sep)
    return False
