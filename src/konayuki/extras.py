"""The one gate for optional packages, and how to install them."""

from importlib import import_module
from types import ModuleType

from konayuki.errors import MissingExtraError


def install_line(extra: str) -> str:
    """Return the pip command that installs an extra.

    The form that works in a clone comes first: the package is not published yet.
    """
    return f"pip install '.[{extra}]' in a clone (once published: pip install 'konayuki[{extra}]')"


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
