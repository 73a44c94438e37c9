"""Values of a pipeline by name: who asks for one in a later stage gets it through registers."""

from __future__ import annotations

from amaranth import *

__all__ = ["Pipeline"]


class Pipeline:
    """Named values and the stage in which each is known; asking for one in a later stage registers it on the way, once for all who ask.

    Parameters
    ----------
    m : module that gets the registers.
    name : begins their names.
    """

    def __init__(self, m: Module, name: str) -> None:
        self._m, self._name = m, name
        self._values: dict[str, tuple[int, list[Value]]] = {}

    def put(self, name: str, value, stage: int) -> None:
        """A value that is known in ``stage``."""
        assert name not in self._values, f"{name} is in the pipeline already"
        self._values[name] = (stage, [Value.cast(value)])

    def register(self, name: str, value, stage: int) -> None:
        """A value that is worked out in ``stage`` and known, from a register, in the next."""
        value = Value.cast(value)
        register = Signal(value.shape(), name=f"{self._name}_{name}")
        self._m.d.sync += register.eq(value)
        self.put(name, register, stage + 1)

    def at(self, name: str, stage: int) -> Value:
        """The value as it stands in ``stage``."""
        known, values = self._values[name]
        assert stage >= known, f"{name} is known in stage {known}, not in stage {stage}"
        while len(values) <= stage - known:
            register = Signal(values[-1].shape(), name=f"{self._name}_{name}_{known + len(values)}")
            self._m.d.sync += register.eq(values[-1])
            values.append(register)
        return values[stage - known]

    def __contains__(self, name: str) -> bool:
        return name in self._values
