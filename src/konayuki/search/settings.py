"""What is fixed when an index is made: its format and its model."""

import json
from collections.abc import Mapping
from pathlib import Path

from konayuki.errors import IndexFormatError, ModelMismatchError
from konayuki.search.encoder import Encoder

FORMAT_VERSION = 1


def settings_of(model: Encoder) -> dict[str, str]:
    """Return the settings of an index made now with this model."""
    return {
        "format_version": str(FORMAT_VERSION),
        "fingerprint": model.fingerprint,
        "dim": str(model.dim),
    }


def as_json(settings: Mapping[str, str]) -> bytes:
    """Return the content of `index.json`, which tells people and tools what `documents.db` says."""
    content = {
        "format_version": int(settings["format_version"]),
        "fingerprint": settings["fingerprint"],
        "dim": int(settings["dim"]),
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def checked(settings: Mapping[str, str], folder: Path) -> Mapping[str, str]:
    """Return the settings if this version can read such an index.

    Raises:
        IndexFormatError: They are incomplete or of another format version.
    """
    try:
        version = int(settings["format_version"])
        int(settings["dim"])
        settings["fingerprint"]
    except (KeyError, ValueError) as error:
        raise IndexFormatError(
            f"{folder / 'documents.db'}: its settings do not read: {error!r}: expected an index"
        ) from error
    if version != FORMAT_VERSION:
        raise IndexFormatError(
            f"{folder} has format version {version}: expected {FORMAT_VERSION}\n"
            "hint: index again, or use the version of konayuki that made it"
        )
    return settings


def check_model(made_with: Mapping[str, str], given: Mapping[str, str], folder: Path) -> None:
    """Compare the model that an index was made with and the one that it is opened with.

    Raises:
        ModelMismatchError: They differ.
    """
    if (made_with["fingerprint"], made_with["dim"]) != (given["fingerprint"], given["dim"]):
        raise ModelMismatchError(
            f"{folder} was made with model {made_with['fingerprint']} ({made_with['dim']} "
            f"dimensions), not with {given['fingerprint']} ({given['dim']} dimensions)\n"
            "hint: open it with the model that it was made with, or index again"
        )
