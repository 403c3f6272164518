"""The one gate for optional packages."""

from importlib import import_module
from types import ModuleType

from konayuki.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Return the optional `module`, which the extra `extra` installs.

    Raises:
        MissingExtraError: the package is not installed; the message gives the pip line.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # installed but broken: do not hide which import failed
        raise MissingExtraError(
            f"{module!r} is not installed\nhint: pip install 'konayuki[{extra}]'"
        ) from error
