"""Models by hub id: the only place of this room that touches the network."""

import re
from pathlib import Path

from konayuki.errors import NotFoundError
from konayuki.extras import require

# What a model folder is made of; the card's pictures and training logs stay where they are.
PATTERNS = ("*.safetensors", "*.bin", "tokenizer.json", "*.model", "*.json")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def looks_like_hub_id(name: str) -> bool:
    """Say whether a name that is no local folder can be an id: two parts, the first no folder."""
    return HUB_ID.fullmatch(name) is not None and not Path(name.partition("/")[0]).exists()


def download(hub_id: str, *, revision: str | None, token: str | bool | None) -> Path:
    """Return the local folder of a hub model, from the cache or the network.

    The environment variables of huggingface_hub hold (HF_HOME, HF_HUB_OFFLINE, HF_TOKEN, ...).

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        NotFoundError: the hub does not have the model or cannot be reached.
    """
    hub = require("huggingface_hub", "hub")
    try:
        folder = hub.snapshot_download(
            hub_id, revision=revision, token=token, allow_patterns=list(PATTERNS)
        )
    except Exception as error:  # the library's errors and those of its HTTP client share no root
        at = f" at revision {revision}" if revision else ""
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NotFoundError(
            f"cannot get {hub_id!r}{at} from the hub: {reason}\n"
            "hint: for a local folder give its full path"
        ) from error
    return Path(folder)
