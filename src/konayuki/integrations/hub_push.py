"""A model folder, with its card, to the Hugging Face hub.

from konayuki.integrations import push

pushed = push("model", "owner/name", private=True)
print(pushed.url)
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from konayuki.errors import HubError, InputError
from konayuki.evaluation.card import ASSETS, short_card, write_card
from konayuki.evaluation.card_facts import SCORES_FILE, SOURCES_FILE, TRAINING_FILE
from konayuki.extras import require
from konayuki.model import StaticModel
from konayuki.model.checkpoint import LAYOUTS, TOKENIZER_FILE, Layout, layout_of
from konayuki.model.folder import CONFIG_FILE
from konayuki.model.foreign import MODULES_FILE
from konayuki.model.hub import bars_on_terminals_only, read_hub_id, reason_of

CARD = "README.md"
MAIN = "main"
# Next to the model: what the card is made of, and what has to travel with the weights.
COMPANIONS = (SCORES_FILE, TRAINING_FILE, SOURCES_FILE, "LICENSE*", "NOTICE*", f"{ASSETS}/*.png")


@dataclass(frozen=True)
class HubFile:
    """A file of a push.

    Attributes:
        path: Name in the repository.
        n_bytes: Size; None for a card that a dry run did not write.
    """

    path: str
    n_bytes: int | None


@dataclass(frozen=True)
class Pushed:
    """What a push did, or would do.

    Attributes:
        repo: `owner/name`.
        revision: The branch.
        private: Whether a new repository is private; None leaves it to the hub.
        files: What was sent, or would be.
        removed: Weights of the other layout that were removed from the repository.
        commit: Digest of the commit, None for a dry run.
        url: Page of the commit, None for a dry run.

    Examples:
        >>> from konayuki.integrations import push
        >>> model.save("exported")
        >>> pushed = push("exported", "owner/name", dry_run=True)
        >>> pushed.repo, pushed.revision, pushed.commit
        ('owner/name', 'main', None)
    """

    repo: str
    revision: str
    private: bool | None
    files: tuple[HubFile, ...]
    removed: tuple[str, ...] = ()
    commit: str | None = None
    url: str | None = None


def push(
    folder: str | PathLike[str],
    repo: str,
    *,
    revision: str = MAIN,
    private: bool | None = None,
    token: str | bool | None = None,
    message: str | None = None,
    licence: str | None = None,
    dry_run: bool = False,
) -> Pushed:
    """Send a model folder to the hub as one commit, and return what was sent.

    The repository and the branch are created if they do not exist; an existing repository keeps its
    visibility and its other files. A folder without a README.md gets one: the card of
    `konayuki card` if the folder holds evaluation.json, otherwise a short one, in the commit only.

    Args:
        folder: A model folder in one of the two layouts; it is loaded first, so that a damaged one
            is not sent.
        repo: `owner/name`.
        revision: The branch.
        private: Whether a repository that has to be created is private.
        token: Access token of the hub that may write, or whether to use the stored one.
        message: First line of the commit message.
        licence: Licence of the weights, for a card that has to be written.
        dry_run: Use no network and write nothing; only return what would be sent.

    Raises:
        NotFoundError: The folder does not exist or holds no model.
        CheckpointError: A file of the model is damaged.
        InputError: `repo` is not `owner/name`.
        MissingExtraError: huggingface_hub is not installed.
        HubError: The hub cannot be reached or refuses.

    Examples:
        >>> model.save("exported")
        >>> pushed = push("exported", "owner/name", private=True, dry_run=True)
        >>> "tokenizer.json" in {file.path for file in pushed.files}
        True
    """
    target = read_hub_id(repo)
    if target is None or target.revision is not None:
        raise InputError(f"cannot push to {repo!r}: expected owner/name")
    model = StaticModel.load(Path(folder))
    source = Path(folder).expanduser()
    if dry_run:
        card = [] if (source / CARD).is_file() else [HubFile(CARD, None)]
        return Pushed(repo, revision, private, (*card, *_listed(source)))
    planned, contents = _planned(source, Pushed(repo, revision, private, ()), model, licence)
    summary = message or f"Upload a static embedding model of {model.dim} dimensions"
    api = require("huggingface_hub", "hub").HfApi(token=token, library_name="konayuki")
    try:
        return _send(api, planned, contents, _stale(layout_of(source)), summary)
    except HubError:
        raise
    except Exception as error:  # the library's errors and those of its HTTP client share no root
        raise _refusal(repo, error) from error


def _planned(
    source: Path, planned: Pushed, model: StaticModel, licence: str | None
) -> tuple[Pushed, dict[str, str | bytes]]:
    """Return what will be sent and, by its name there, the path or the content of each file."""
    card = _card(source, model, planned.repo, licence)
    files = _listed(source)
    contents: dict[str, str | bytes] = {file.path: str(source / file.path) for file in files}
    if card is not None:
        contents[CARD] = card
        files = [HubFile(CARD, len(card)), *files]
    return replace(planned, files=tuple(files)), contents


def _refusal(repo: str, error: Exception) -> HubError:
    """Return our error for an error of the hub, with a hint at the token if that is the cause."""
    hint = "the token must be allowed to write: HF_TOKEN, `hf auth login` or the token given"
    if getattr(getattr(error, "response", None), "status_code", None) not in {401, 403, 404}:
        hint = "a push is one commit: nothing was changed, so try again"
    return HubError(f"cannot push to {repo!r}: {reason_of(error)}\nhint: {hint}")


def _send(
    api: Any,  # noqa: ANN401 - a class of an optional package
    planned: Pushed,
    contents: Mapping[str, str | bytes],
    stale: Collection[str],
    summary: str,
) -> Pushed:
    """Create the repository, the branch and the commit, and return the result."""
    hub = require("huggingface_hub", "hub")
    api.create_repo(planned.repo, private=planned.private, exist_ok=True)
    _check_private(api, planned.repo, planned.private)
    if planned.revision != MAIN:
        api.create_branch(planned.repo, branch=planned.revision, exist_ok=True)
    present = api.list_repo_files(planned.repo, revision=planned.revision)
    removed = sorted(set(stale) & set(present))
    operations = [
        *(hub.CommitOperationDelete(path) for path in removed),
        *(hub.CommitOperationAdd(path, content) for path, content in contents.items()),
    ]
    with bars_on_terminals_only():
        commit = api.create_commit(
            planned.repo, operations, commit_message=summary, revision=planned.revision
        )
    return replace(planned, removed=tuple(removed), commit=commit.oid, url=commit.commit_url)


def _check_private(api: Any, repo: str, private: bool | None) -> None:  # noqa: ANN401 - a class of an optional package
    """Refuse to publish what was meant to stay private: an existing repository may be public."""
    if private and not api.repo_info(repo).private:
        raise HubError(
            f"{repo!r} exists and is public: expected a private repository\n"
            "hint: change its settings on the hub, or push without private"
        )


def _listed(folder: Path) -> list[HubFile]:
    """Return the files of a folder that a push sends, by name; other files are left out."""
    return [
        HubFile(path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in sorted(set(_chosen(folder)))
        if path.is_file()
    ]


def _chosen(folder: Path) -> Iterator[Path]:
    layout = layout_of(folder)
    names = (*layout.weight_files, *layout.module_files, TOKENIZER_FILE, MODULES_FILE, CONFIG_FILE)
    for pattern in (*names, CARD, *COMPANIONS):
        yield from folder.glob(pattern)


def _stale(layout: Layout) -> set[str]:
    """Return the weights of the other layouts: in the repository they might be loaded instead."""
    weights = {name for other in LAYOUTS for name in other.weight_files}
    return weights - set(layout.weight_files)


def _card(folder: Path, model: StaticModel, repo: str, licence: str | None) -> bytes | None:
    """Return the card that the commit needs, None if the folder has one (or has one now)."""
    if (folder / CARD).is_file():
        return None
    if (folder / SCORES_FILE).is_file():
        write_card(folder, name=repo, licence=licence)
        return None
    return short_card(model, name=repo, licence=licence).encode()


def as_dict(pushed: Pushed) -> dict[str, Any]:
    """Return a push as values that JSON can hold."""
    return {
        "repo": pushed.repo,
        "revision": pushed.revision,
        "private": pushed.private,
        "dry_run": pushed.commit is None,
        "commit": pushed.commit,
        "url": pushed.url,
        "files": [{"path": file.path, "bytes": file.n_bytes} for file in pushed.files],
        "removed": list(pushed.removed),
    }
