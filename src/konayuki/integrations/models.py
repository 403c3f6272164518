"""Models as other libraries name them: an object, a folder, a hub id, or nothing at all."""

from os import PathLike

from konayuki.errors import InputError
from konayuki.model import StaticModel
from konayuki.model.static import BUNDLED

ModelLike = StaticModel | str | PathLike[str] | None


def model_of(model: ModelLike) -> StaticModel:
    """Return the model itself: loaded from its folder or hub id, the bundled one for None.

    Raises:
        NotFoundError: there is no such folder or hub model.
    """
    return model if isinstance(model, StaticModel) else StaticModel.load(model)


def name_of(model: ModelLike) -> str | None:
    """Return the name that `model_of` finds the model under again, None for the bundled one.

    Raises:
        InputError: the model was made in memory and lies in no folder.
    """
    if not isinstance(model, StaticModel):
        return None if model is None else str(model)
    if model.source is None:
        raise InputError(
            "the model lies in no folder, so it has no name to be written down\n"
            "hint: model.save(FOLDER), then give FOLDER instead of the model"
        )
    return None if model.source == BUNDLED else str(model.source)
