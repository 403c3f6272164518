"""Whole model folders: weights, tokenizer, and what else sentence-transformers needs."""

import json
import tempfile
from pathlib import Path

from konayuki.errors import WriteError
from konayuki.files import make_folder
from konayuki.model.checkpoint import LAYOUTS, TOKENIZER_FILE, Layout
from konayuki.model.foreign import MODULES_FILE
from konayuki.model.weights import Weights

MODULE_SOURCES = Path(__file__).parent / "export"
CONFIG_FILE = "config_sentence_transformers.json"


def write_folder(folder: Path, weights: Weights, tokenizer_json: bytes, layout: Layout) -> None:
    """Write a folder that `StaticModel.load` and sentence-transformers 5 and 6 read.

    Each file is written under a temporary name and renamed. Existing weights of the other
    layout are removed: they would be another model under the same name.

    Raises:
        InputError: `folder` is a file.
        WriteError: The folder cannot be written, as on a full disk.
    """
    files = {
        **layout.write(weights),
        TOKENIZER_FILE: tokenizer_json,
        **{name: (MODULE_SOURCES / name).read_bytes() for name in layout.module_files},
        MODULES_FILE: _json(
            [{"idx": 0, "name": "0", "path": "", "type": layout.module}],
        ),
        CONFIG_FILE: _json(
            {
                "__version__": {},
                "prompts": {},
                "default_prompt_name": None,
                "similarity_fn_name": "cosine",
            }
        ),
    }
    make_folder(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as staging:
            for name, content in files.items():
                (Path(staging) / name).write_bytes(content)
            for name in files:
                (Path(staging) / name).replace(folder / name)
    except OSError as error:
        raise WriteError(f"cannot write {folder}: {error.strerror or error}") from error
    for other in LAYOUTS:
        for name in set(other.weight_files) - set(layout.weight_files):
            (folder / name).unlink(missing_ok=True)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
