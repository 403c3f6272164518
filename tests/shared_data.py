"""Where the shared evaluation and training data lie, for tests that use real text."""

import os
from pathlib import Path


def data_folder() -> Path | None:
    """Return the folder named by KONAYUKI_DATA, or `../shared/data` beside the repository."""
    named = os.environ.get("KONAYUKI_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None
