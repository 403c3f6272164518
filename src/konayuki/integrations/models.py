"""Models as other libraries name them: an object, a folder, a hub id or None."""

from os import PathLike

from konayuki.errors import InputError
from konayuki.model import StaticModel
from konayuki.model.static import BUNDLED

ModelLike = StaticModel | str | PathLike[str] | None


def model_of(model: ModelLike) -> StaticModel:
    """Return the model itself: loaded from its folder or hub id, the bundled model for None.

    Raises:
        NotFoundError: The folder or hub model does not exist.
    """
    return model if isinstance(model, StaticModel) else StaticModel.load(model)


def name_of(model: ModelLike) -> str | None:
    """Return the name from which `model_of` loads the model again, None for the bundled model.

    Raises:
        InputError: The model is only in memory.
    """
    if not isinstance(model, StaticModel):
        return None if model is None else str(model)
    if model.source is None:
        raise InputError(
            "the model is only in memory: expected one with a folder, to write down its name\n"
            "hint: model.save(FOLDER), then give FOLDER instead of the model"
        )
    return None if model.source == BUNDLED else str(model.source)
