"""What a tile keeps of each neuron: parameters and state, and the widths of what it fires."""

from __future__ import annotations

from .arithmetic import bits_signed, bits_unsigned
from .parameter import ParameterSpec
from .tile_shape import TileShape

__all__ = ["TileState"]


class TileState(TileShape):
    """The words of the state and parameter memories, one per update of U neurons."""

    def update_base(self, group: int) -> int:
        """Index of the first update (U neurons) of a group."""
        return sum(self.rows(g) * self.beats for g in range(group))

    @property
    def n_updates(self) -> int:
        """Updates per timestep: words of the state and parameter memories."""
        return self.update_base(len(self.groups))

    @property
    def fields(self) -> tuple[ParameterSpec, ...]:
        """Parameters of a neuron in the order in which they lie in a word of the memory, lowest first."""
        return (ParameterSpec(name="theta", bits=self.theta_bits, signed=False), ParameterSpec(name="bias", bits=self.bias_bits, signed=True),
                *self.parameters)

    @property
    def stored_bits(self) -> int:
        """Width of the stored state u, the widest group's."""
        bounds = [g.update.stored_bounds(self.theta_bits, self.bias_bits) for g in self.groups]
        starts = [g.update.v_init or 0 for g in self.groups]
        return bits_signed(min(0, *starts, *(low for low, _ in bounds)), max(0, *starts, *(high for _, high in bounds)))

    @property
    def current_bits(self) -> int:
        """Width of the stored current, the widest group's; 0 if no group has one."""
        bounds = [g.update.current_bounds(self.bias_bits) for g in self.groups if g.update.has_current]
        return bits_signed(min(low for low, _ in bounds), max(high for _, high in bounds)) if bounds else 0

    @property
    def a_bits(self) -> int:
        """Width of the stored rise of the threshold; 0 if no group adapts."""
        return max(g.update.a_bits for g in self.groups)

    @property
    def quiet_bits(self) -> int:
        """Width of the stored count of refractory timesteps; 0 if no group has one."""
        return max(g.update.quiet_bits for g in self.groups)

    @property
    def taken_bits(self) -> int:
        """Width of the stored theta * n of gated neurons that fire several times; 0 if there are none."""
        return max((g.update.v_bits - 1 for g in self.groups if g.update.keeps_taken), default=0)

    @property
    def marks_spent(self) -> bool:
        """Whether the state holds the bit that says that the neuron fired."""
        return any(g.update.marks_spent for g in self.groups)

    @property
    def state_fields(self) -> tuple[ParameterSpec, ...]:
        """What the state memory holds of a neuron, in the order in which it lies in a word, lowest first (docs/architecture.md, section 3)."""
        kept = [g.update for g in self.groups if self.keeps_v]
        fields = (("u", self.stored_bits, True), ("current", self.current_bits, True), ("a", self.a_bits, False), ("quiet", self.quiet_bits, False),
                  ("taken", self.taken_bits, False), ("spent", int(self.marks_spent), False),
                  ("sent", max(g.update.sent_bits for g in self.groups), False),
                  ("v", max((u.v_bits for u in kept), default=0), True), ("i", max((u.i_bits for u in kept), default=0), True))
        return tuple(ParameterSpec(name=name, bits=bits, signed=signed) for name, bits, signed in fields if bits)

    @property
    def state_bits(self) -> int:
        """Bits of state of one neuron."""
        return sum(f.bits for f in self.state_fields)

    @property
    def count_bits(self) -> int:
        """Width of the number of spikes of a neuron in a timestep, signed where groups send changes; 0 where it is 1 at most."""
        most = max(g.update.max_spikes for g in self.groups)
        if self.has_changes:
            return bits_signed(-most, most)
        return bits_unsigned(most) if most > 1 else 0

    @property
    def has_changes(self) -> bool:
        """Whether a group's events are changes of an activation."""
        return any(g.update.changes for g in self.groups)

    @property
    def value_bits(self) -> int:
        """Width (signed) of the payloads of its own events: v of LI groups, or numbers of spikes; 0 if all are 1."""
        values = [g.update.v_bits if g.update.values else bits_unsigned(g.update.max_spikes) + 1
                  for g in self.groups if g.key is not None and (g.update.values or g.update.counts)]
        return max([2, *values]) if values else 0
