"""The one gate for optional packages, and how to install them."""

from importlib import import_module
from types import ModuleType

from konayuki.errors import MissingExtraError


def install_line(extra: str) -> str:
    """Return the pip command that installs an extra.

    It names the form for a clone too: a hint must hold before the package is published.
    """
    return f"pip install 'konayuki[{extra}]' (from a clone: pip install '.[{extra}]')"


def require(module: str, extra: str) -> ModuleType:
    """Return the optional `module`, which the extra `extra` installs.

    Raises:
        MissingExtraError: The package is not installed; the message gives the pip line.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # installed but broken: do not hide which import failed
        raise MissingExtraError(
            f"{module!r} is not installed\nhint: {install_line(extra)}"
        ) from error
