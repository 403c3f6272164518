"""Models by hub id: the only module of this package that touches the network."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from konayuki.errors import InputError, NotFoundError
from konayuki.extras import require
from konayuki.model.checkpoint import FLOAT_FILE, LAYOUTS, TOKENIZER_FILE
from konayuki.model.foreign import MODULES_FILE, OLD_FOLDER

# All that `StaticModel.load` reads; cards, pictures and other formats are not fetched.
FILES = (
    *(name for layout in LAYOUTS for name in layout.weight_files),
    *(TOKENIZER_FILE, MODULES_FILE),
    *(f"{OLD_FOLDER}/{name}" for name in (FLOAT_FILE, TOKENIZER_FILE)),
)
_PART = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[^@\s]+))?", re.ASCII)
_LONGEST_REPO = 96
_REASONS = (
    ("GatedRepoError", "access has to be requested on its page"),
    ("RevisionNotFoundError", "it has no such revision"),
    ("RepositoryNotFoundError", "it does not exist, or is private and not open to this token"),
    ("IncompleteSnapshotError", "the cache holds only a part of it"),
)


class HubId(NamedTuple):
    """A model of the hub, and its branch, tag or commit if one is named."""

    repo: str
    revision: str | None


def read_hub_id(name: str) -> HubId | None:
    """Return the hub id that a name is, `owner/name` or `owner/name@revision`; None for others."""
    match = _HUB_ID.fullmatch(name)
    if match is None or len(match["repo"]) > _LONGEST_REPO:
        return None
    if "--" in match["repo"] or ".." in match["repo"] or match["repo"].endswith(".git"):
        return None
    return HubId(match["repo"], match["revision"])


def find_folder(
    name: str | PathLike[str], *, revision: str | None, token: str | bool | None
) -> Path:
    """Return the folder that a name is, or that of the hub model if it is an id.

    Raises:
        NotFoundError: There is no such folder or hub model.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if isinstance(name, str) and looks_like_hub_id(name):
        return download(name, revision=revision, token=token)
    raise missing_folder(str(name))


def looks_like_hub_id(name: str) -> bool:
    """Return whether a name that is not a local folder is looked up on the hub.

    `models/small` next to a folder `models` is a path; a revision means the hub.
    """
    hub_id = read_hub_id(name)
    if hub_id is None:
        return False
    return hub_id.revision is not None or not Path(name.partition("/")[0]).exists()


def download(hub_id: str, *, revision: str | None, token: str | bool | None) -> Path:
    """Return the local folder of a hub model, from the cache or the network.

    The rules are those of huggingface_hub: without a revision it asks for the newest commit of the
    main branch, files in the cache are not fetched again, and the cache is used if the hub does not
    answer. Its environment variables work (HF_HOME, HF_HUB_OFFLINE, HF_TOKEN, ...).

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        InputError: The id names one revision and the argument another.
        NotFoundError: The hub does not have the model or cannot be reached, and the cache does not
            have it either.
    """
    repo, named = read_hub_id(hub_id) or HubId(hub_id, None)
    if named is not None and revision not in {None, named}:
        raise InputError(f"{hub_id!r} with revision {revision!r}: expected one revision")
    revision = named or revision
    hub = require("huggingface_hub", "hub")
    try:
        with bars_on_terminals_only():
            folder = hub.snapshot_download(
                repo, revision=revision, token=token, allow_patterns=list(FILES)
            )
    except Exception as error:  # the library's errors and those of its HTTP client share no root
        at = f" at revision {revision}" if revision else ""
        raise NotFoundError(
            f"cannot get {repo!r}{at} from the hub: {reason_of(error)}\n"
            f"hint: {_remedy(error)}for a local folder give its full path"
        ) from error
    return Path(folder)


@contextmanager
def bars_on_terminals_only() -> Iterator[None]:
    """Keep huggingface_hub's progress bars out of log files for a while."""
    bars = require("huggingface_hub.utils", "hub")
    if sys.stderr.isatty() or bars.are_progress_bars_disabled():
        yield
        return
    bars.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bars()


def reason_of(error: Exception) -> str:
    """Return why the hub refused, in one line."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    for kind, reason in _REASONS:
        if kind in kinds:
            return reason
    offline = require("huggingface_hub", "hub").constants.HF_HUB_OFFLINE
    if offline and "LocalEntryNotFoundError" in kinds:
        return "HF_HUB_OFFLINE is set and the cache does not hold it"
    lines = [line for line in map(str.strip, str(error).splitlines()) if line]
    return ": ".join([type(error).__name__, *lines[:1]])


def missing_folder(name: str) -> NotFoundError:
    """Return the error for a name that is neither a folder nor a hub id."""
    path = Path(name).expanduser()
    if path.is_file():
        hint = f"it is a file: give its folder, {path.parent}"
    elif near := _similar_folder(path):
        hint = f"there is {near}"
    elif read_hub_id(name):
        hint = f"the folder {name.partition('/')[0]} is here; {name}@main asks the hub"
    else:
        hint = "a hub id is owner/name, a folder is made by konayuki export or train"
    return NotFoundError(f"no model folder {name!r}\nhint: {hint}")


def _similar_folder(path: Path) -> Path | None:
    """Return an existing folder whose last part is spelt almost like that of `path`."""
    try:
        siblings = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return None
    near = get_close_matches(path.name, siblings, n=1)
    return path.parent / near[0] if near else None


def _remedy(error: Exception) -> str:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"RepositoryNotFoundError", "GatedRepoError"}:
        return "token=... or HF_TOKEN opens a private model; "
    return ""
