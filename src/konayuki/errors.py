"""Every error that konayuki raises, in one tree.

KonayukiError
├── InputError (ValueError)            an argument or a text that cannot be used
│   ├── DimensionError                 a dimension that the model does not have
│   └── EmptyTextError                 an empty text although `strict=True` forbids them
├── FormatError (ValueError)           a file is not what its name promises; the message names it
│   ├── CheckpointError                a file of a model folder
│   ├── IndexFormatError               a file of an index
│   └── DatasetError                   a file or row of an evaluation or training set
├── NotFoundError (FileNotFoundError)  a model, an index or an input does not exist
├── WriteError (OSError)               a file or a folder cannot be written; the old one stays
│   └── ReadOnlyError (PermissionError)  an index may only be read
├── HubError (OSError)                 the hub refuses what is sent to it or does not answer
├── IndexLockedError (RuntimeError)    another process writes to the index
├── ModelMismatchError (ValueError)    an index was built with another model
└── MissingExtraError (ImportError)    an optional package is not installed

A message says what was wrong and its value, then ": expected ...", and ends with a line that starts
with `hint:` if there is a remedy.
"""


class KonayukiError(Exception):
    """Root of every error that konayuki raises."""


class InputError(KonayukiError, ValueError):
    """An argument or a text cannot be used."""


class DimensionError(InputError):
    """The model does not have the requested number of dimensions."""


class EmptyTextError(InputError):
    """A text without content met `strict=True`."""


class FormatError(KonayukiError, ValueError):
    """A file is not what its name promises."""


class CheckpointError(FormatError):
    """A file of a model folder is damaged or of an unknown kind."""


class IndexFormatError(FormatError):
    """A file of an index is damaged or of an unknown version."""


class DatasetError(FormatError):
    """A file or a row of a data set cannot be used."""


class NotFoundError(KonayukiError, FileNotFoundError):
    """A model, an index or an input file does not exist."""


class WriteError(KonayukiError, OSError):
    """A file or a folder cannot be written; what was there before is unchanged."""


class ReadOnlyError(WriteError, PermissionError):
    """A write to an index that was opened for reading only, or that the system protects."""


class HubError(KonayukiError, OSError):
    """The hub refuses what is sent to it, or cannot be reached."""


class IndexLockedError(KonayukiError, RuntimeError):
    """Another writer holds the index."""


class ModelMismatchError(KonayukiError, ValueError):
    """An index was built with another model than the one given."""


class MissingExtraError(KonayukiError, ImportError):
    """An optional package is not installed."""
