"""What a build and a co-simulation report: the fields are the keys of the command line's JSON, in its order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fitting import Fitted

__all__ = ["BuildResult", "CosimResult", "DeployResult", "RunResult"]


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """Size of a generated chip; what was not built is None, never 0.

    Parameters
    ----------
    tiles, lanes : tiles of the chip, and synapses per clock of all of them together.
    weight_bits_total : bits of weight memory that hold weights; of sparse synapses with their rows.
    luts, ffs, brams, dsps, sprams : resources after place and route; of an iCE40 logic cells instead of LUTs, and single-port RAMs.
    fmax_mhz : highest clock after place and route.
    step_ms : length of a timestep in milliseconds, as the network's metadata says, or 10.
    most_cycles : cycles of a timestep if every input and every neuron fired in each: no activity takes more.
    real_time_margin : how many times as many cycles there are in a timestep, at the board's clock (or 25 MHz).
    fitted : how lanes and tiles were chosen, where the build chose them for its board.
    """

    tiles: int
    lanes: int
    weight_bits_total: int
    luts: int | None = None
    ffs: int | None = None
    brams: int | None = None
    dsps: int | None = None
    sprams: int | None = None
    fmax_mhz: float | None = None
    fitted: Fitted | None = None
    step_ms: float | None = None
    most_cycles: int | None = None
    real_time_margin: float | None = None


@dataclass(frozen=True, kw_only=True)
class CosimResult:
    """Comparison of the emitted Verilog with the golden model and the cycle model.

    Parameters
    ----------
    clips : clips that were run.
    accuracy : share of the clips whose label is the hardware's answer, 0..1; None without labels.
    spikes_compared, spikes_wrong : output events of either side, and those that the other side lacks. (What hidden neurons fire follows
        from their membrane potentials, which are all compared.)
    states_compared, states_wrong : membrane potentials; readouts, answers and confidences that differ are among the wrong.
    counters_compared, counters_wrong : of the tiles, on a chip that has them.
    cycles_predicted, cycles_measured : clock cycles over all phases.
    sops : synaptic operations over all clips.
    lanes : synapses per clock of all tiles together.
    phases_wrong, clips_flagged : phases of another length than predicted; clips with an error flag raised.
    first_divergence : the earliest difference in words, or empty.
    words, confidences : the hardware's answer per clip, by its label or else its number, and how far its readout is ahead of the second:
        spikes, timesteps or units of v. A chip without readouts shows no confidences, and its words are what fired most.
    verilog_changed : the Verilog that ran is not what was generated.
    """

    clips: int
    accuracy: float | None
    spikes_compared: int
    spikes_wrong: int
    states_compared: int
    states_wrong: int
    cycles_predicted: int
    cycles_measured: int
    sops: int
    lanes: int
    counters_compared: int = 0
    counters_wrong: int = 0
    phases_wrong: int = 0
    clips_flagged: int = 0
    first_divergence: str = ""
    words: tuple[str, ...] = ()
    confidences: tuple[int, ...] = ()
    verilog_changed: bool = False

    @property
    def equal(self) -> bool:
        """Whether hardware and models agree in everything; a comparison of nothing proves nothing."""
        return (self.spikes_wrong == self.states_wrong == self.counters_wrong == self.phases_wrong == self.clips_flagged == 0
                and self.cycles_predicted == self.cycles_measured and not self.first_divergence
                and self.clips > 0 and self.states_compared > 0)


@dataclass(frozen=True, kw_only=True)
class DeployResult:
    """A network on a device.

    Parameters
    ----------
    network, digest : name; digest of the network as it is stored.
    memories, words : memories that hold it, and their words.
    written : memories that did not hold it already.
    verified : the device's own digests of all memories are right. False only where its memories cannot be read.
    repeated : frames that had to be sent again.
    seconds : on the device's clock; 0 of a replay.
    """

    network: str
    digest: str
    memories: int
    words: int
    written: int
    verified: bool
    repeated: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Clips through a device.

    Parameters
    ----------
    clips : clips that were run.
    accuracy : share of the clips whose label is the device's answer, 0..1; None without labels.
    answers : per clip its label, or else its number.
    errors : events that the device refused, for whatever reason.
    seconds : of the clips, without the loading of the network, on the device's clock; 0 of a replay.
    repeated : frames that had to be sent again.
    confidences : how far each answer's readout is ahead of the second; empty without readouts.
    """

    clips: int
    accuracy: float | None
    answers: tuple[str, ...]
    errors: int
    seconds: float
    repeated: int
    confidences: tuple[int, ...]
