"""What is fixed when an index is made: its format, its model, its identity."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from konayuki.errors import IndexFormatError, ModelMismatchError
from konayuki.search.encoder import Encoder
from konayuki.search.terms import ANALYZER_VERSION

FORMAT_VERSION = 2  # 1 had no identity of index and commits
_READABLE = (1, 2)


def settings_of(model: Encoder) -> dict[str, str]:
    """Return the settings of an index made now with this model."""
    return {
        "format_version": str(FORMAT_VERSION),
        "fingerprint": model.fingerprint,
        "dim": str(model.dim),
        "analyzer_version": str(ANALYZER_VERSION),
        "index_id": f"{secrets.randbelow(2**62) + 1:016x}",
    }


def upgraded(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of an existing index as this version writes them."""
    new = {**settings, "format_version": str(FORMAT_VERSION)}
    new["analyzer_version"] = str(ANALYZER_VERSION)
    new.setdefault("index_id", f"{secrets.randbelow(2**62) + 1:016x}")
    return new


def index_id(settings: Mapping[str, str]) -> int:
    """Return the random number of an index; 0 if it has format 1."""
    return int(settings.get("index_id", "0"), 16)


def as_json(settings: Mapping[str, str]) -> bytes:
    """Return the content of `index.json`, which tells people and tools what `documents.db` says."""
    content: dict[str, object] = {
        "format_version": int(settings["format_version"]),
        "fingerprint": settings["fingerprint"],
        "dim": int(settings["dim"]),
        "analyzer_version": int(settings.get("analyzer_version", "1")),
    }
    if "index_id" in settings:
        content["index_id"] = settings["index_id"]
    return (json.dumps(content, indent=2) + "\n").encode()


def checked(settings: Mapping[str, str], folder: Path) -> Mapping[str, str]:
    """Return the settings if this version can read such an index.

    Raises:
        IndexFormatError: They are incomplete or of another format version.
    """
    try:
        version = int(settings["format_version"])
        fields = int(settings["dim"]), int(settings.get("analyzer_version", "1"))
        if not (0 < fields[0] < 2**20 and 0 < fields[1] < 2**31):
            raise ValueError(f"dim and analyzer_version are {fields}")
        if not 0 <= index_id(settings) < 2**63:
            raise ValueError(f"index_id is {settings['index_id']}")
        settings["fingerprint"]
    except (KeyError, ValueError) as error:
        raise IndexFormatError(
            f"{folder / 'documents.db'}: its settings cannot be read: {error!r}: expected an index"
        ) from error
    if version not in _READABLE:
        raise IndexFormatError(
            f"{folder} has format version {version}: expected {FORMAT_VERSION}\n"
            "hint: index again, or use the version of konayuki that made it"
        )
    return settings


def check_model(made_with: Mapping[str, str], given: Encoder, folder: Path) -> None:
    """Compare the model that an index was made with and the one that it is opened with.

    Raises:
        ModelMismatchError: They differ.
    """
    if (made_with["fingerprint"], int(made_with["dim"])) != (given.fingerprint, given.dim):
        raise ModelMismatchError(
            f"{folder} was made with model {made_with['fingerprint']} ({made_with['dim']} "
            f"dimensions), not with {given.fingerprint} ({given.dim} dimensions)\n"
            "hint: open it with the model that it was made with, or index again"
        )
