"""The errors that a user of SpikeLoom may see.

Every one derives from :class:`SpikeLoomError`; the command line prints its text as one paragraph and exits with status 2.
A text says what is wrong, where (file, population, tile), what is needed against what is available, and what to change.
"""

__all__ = ["CapacityError", "DeviceError", "FileFormatError", "MismatchError", "NetworkError", "SpikeLoomError", "ToolError"]


class SpikeLoomError(Exception):
    """Base of every error that is the input's fault or the machine's, never a defect of SpikeLoom."""


class FileFormatError(SpikeLoomError):
    """A file is damaged, hostile, too large, or not of the kind that was asked for."""


class NetworkError(SpikeLoomError):
    """A network breaks a rule of the numeric contract."""


class CapacityError(SpikeLoomError):
    """A network needs more of some resource than a board, a tile or a format has."""


class ToolError(SpikeLoomError):
    """An external tool (simulator, synthesis, place and route) is missing or failed."""


class MismatchError(SpikeLoomError):
    """Two results that must be equal are not."""


class DeviceError(SpikeLoomError):
    """A device does not answer, is not what was expected, or refuses a request."""
