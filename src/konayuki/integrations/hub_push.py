"""Model folders on their way to the Hugging Face hub, with their card.

from konayuki.integrations.hub_push import push

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
# Beside the model: what the card is made of, and what has to travel with the weights.
COMPANIONS = (SCORES_FILE, TRAINING_FILE, SOURCES_FILE, "LICENSE*", "NOTICE*", f"{ASSETS}/*.png")


@dataclass(frozen=True)
class HubFile:
    """A file of a push.

    Attributes:
        path: its name in the repository.
        n_bytes: its size; None for a card that a dry run did not make.
    """

    path: str
    n_bytes: int | None


@dataclass(frozen=True)
class Pushed:
    """What a push did, or would do.

    Attributes:
        repo: `owner/name`.
        revision: the branch.
        private: whether a new repository is private; None leaves it to the hub.
        files: what was sent, or would be.
        removed: weights of the other layout that were taken out of the repository.
        commit: the commit's digest, None for a dry run.
        url: the commit's page, None for a dry run.
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
    """Send a model folder to the hub as one commit, and say what was sent.

    The repository and the branch are made where they are missing; a repository that is there
    keeps its visibility and its other files. A folder without a README.md gets one: the card of
    `konayuki card` where the folder holds evaluation.json, a short one in the commit otherwise.

    Args:
        folder: a model folder in one of the two layouts; it is loaded first, so that nobody gets
            a damaged one.
        repo: `owner/name`.
        revision: the branch.
        private: whether a repository that has to be made is private.
        token: access token of the hub with the right to write, or whether to use the stored one.
        message: first line of the commit.
        licence: licence of the weights on a card that has to be made.
        dry_run: ask nobody and write nothing; only say what would be sent.

    Raises:
        NotFoundError: there is no such folder or no model in it.
        CheckpointError: a file of the model is damaged.
        InputError: `repo` is not `owner/name`.
        MissingExtraError: huggingface_hub is not installed.
        HubError: the hub cannot be reached or refuses.
    """
    target = read_hub_id(repo)
    if target is None or target.revision is not None:
        raise InputError(f"cannot push to {repo!r}; expected owner/name")
    model = StaticModel.load(Path(folder))
    source = Path(folder).expanduser()
    if dry_run:
        card = [] if (source / CARD).is_file() else [HubFile(CARD, None)]
        return Pushed(repo, revision, private, (*card, *_listed(source)))
    wanted, contents = _prepared(source, Pushed(repo, revision, private, ()), model, licence)
    summary = message or f"Upload a static embedding model of {model.dim} dimensions"
    api = require("huggingface_hub", "hub").HfApi(token=token, library_name="konayuki")
    try:
        return _send(api, wanted, contents, _stale(layout_of(source)), summary)
    except HubError:
        raise
    except Exception as error:  # the library's errors and those of its HTTP client share no root
        raise _refusal(repo, error) from error


def _prepared(
    source: Path, wanted: Pushed, model: StaticModel, licence: str | None
) -> tuple[Pushed, dict[str, str | bytes]]:
    """Return what will be sent and, by its name there, the path or the content of each file."""
    card = _card(source, model, wanted.repo, licence)
    files = _listed(source)
    contents: dict[str, str | bytes] = {file.path: str(source / file.path) for file in files}
    if card is not None:
        contents[CARD] = card
        files = [HubFile(CARD, len(card)), *files]
    return replace(wanted, files=tuple(files)), contents


def _refusal(repo: str, error: Exception) -> HubError:
    """Return our error for one of the hub's: with a hint at the token where that is the cause."""
    hint = "the token needs the right to write: token=..., HF_TOKEN or `hf auth login`"
    if getattr(getattr(error, "response", None), "status_code", None) not in {401, 403, 404}:
        hint = "a push is one commit: nothing of it is there, and it can be made again"
    return HubError(f"cannot push to {repo!r}: {reason_of(error)}\nhint: {hint}")


def _send(
    api: Any,  # noqa: ANN401 - a class of an optional package
    wanted: Pushed,
    contents: Mapping[str, str | bytes],
    stale: Collection[str],
    summary: str,
) -> Pushed:
    """Make the repository, the branch and the commit; say what came of it."""
    hub = require("huggingface_hub", "hub")
    api.create_repo(wanted.repo, private=wanted.private, exist_ok=True)
    _check_private(api, wanted.repo, wanted.private)
    if wanted.revision != MAIN:
        api.create_branch(wanted.repo, branch=wanted.revision, exist_ok=True)
    present = api.list_repo_files(wanted.repo, revision=wanted.revision)
    removed = sorted(set(stale) & set(present))
    operations = [
        *(hub.CommitOperationDelete(path) for path in removed),
        *(hub.CommitOperationAdd(path, content) for path, content in contents.items()),
    ]
    with bars_on_terminals_only():
        commit = api.create_commit(
            wanted.repo, operations, commit_message=summary, revision=wanted.revision
        )
    return replace(wanted, removed=tuple(removed), commit=commit.oid, url=commit.commit_url)


def _check_private(api: Any, repo: str, private: bool | None) -> None:  # noqa: ANN401 - a class of an optional package
    """Refuse to publish what was meant to stay private: an older repository may be public."""
    if private and not api.repo_info(repo).private:
        raise HubError(
            f"{repo!r} is there and public; expected a private repository\n"
            "hint: change its settings on the hub, or push without private"
        )


def _listed(folder: Path) -> list[HubFile]:
    """Return the files of a folder that a push sends, by name; what else lies there stays."""
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
    """Return the card that the commit needs, None where the folder has its own by now."""
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
