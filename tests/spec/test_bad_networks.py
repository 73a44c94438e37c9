"""Networks that break a rule are refused, with the population or projection named, what is wrong, and what to do."""

from __future__ import annotations

import importlib
import io
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.plan import plan
from spikeloom.spec.archive import load_network, network_bytes
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.errors import CapacityError, NetworkError, SpikeLoomError
from spikeloom.spec.network import Gain, Kind, Model, Network, Population, Port, Projection, Readout, Refractory, Reset

X = Population(name="x", size=3, model=Model.INPUT)
ONES = np.ones((2, 3), dtype=int)


def h(**fields) -> Population:
    """A LIF population of two neurons."""
    return Population(**{"name": "h", "size": 2, "model": Model.LIF, "output": True, "v_bits": 8, **fields})


def li(**fields) -> Population:
    return h(**{"model": Model.LI, "readout": Readout.LAST, **fields})


def gru(**fields) -> Population:
    return h(**{"model": Model.SPIKGRU, "gate_table": [0, 100, 200, 255], **fields})


def alif(**fields) -> Population:
    return h(**{"model": Model.ALIF, **fields})


def cuba(**fields) -> Population:
    return h(**{"model": Model.CUBALIF, **fields})


def to_h(**fields) -> Projection:
    return Projection(**{"source": "x", "target": "h", "weights": ONES, **fields})


def net(*projections: Projection, populations=None, **fields) -> Network:
    return Network(**{"name": "n", "populations": (X, h()) if populations is None else populations, "projections": projections, **fields})


def loop(delays=(0, 0)) -> Network:
    a, b = h(name="a"), h(name="b")
    w = np.ones((2, 2), dtype=int)
    return net(Projection(source="x", target="a", weights=ONES), Projection(source="a", target="b", weights=w, delay=delays[0]),
               Projection(source="b", target="a", weights=w, delay=delays[1]), populations=(X, a, b))


def refused(build, *parts: str, error: type[SpikeLoomError] = NetworkError) -> None:
    """The text of the error has these parts in their order; the last one is the remedy."""
    with pytest.raises(error) as caught:
        build()
    text = str(caught.value)
    assert re.search(".*".join(re.escape(part) for part in parts), text), text
    assert text.endswith(parts[-1]), text


POPULATION = "Population 'h': "
PROJECTION = "Projection x -> h: "


@pytest.mark.parametrize("build, parts", [
    # Missing weights.
    (lambda: net(), ["Population 'h': ", "no projection leads to it, so it has no weights", "add one, or leave it out"]),
    (lambda: net(to_h(port=Port.GATE), populations=(X, gru())), ["Population 'h': ", "port 'i', so nothing drives its membrane", "add one"]),
    (lambda: net(to_h(weights=np.zeros((2, 4), int))),
     [PROJECTION, "shape [2, 4]", "need [2, 3], a row per neuron of 'h'", "mend them or the sizes"]),
    (lambda: net(to_h(weights=ONES.T)), [PROJECTION, "shape [3, 2]", "need [2, 3]", "mend them or the sizes; they may be transposed"]),
    (lambda: to_h(weights=ONES / 2), [PROJECTION, "integers, not float64 of shape [2, 3]", "quantize them first"]),
    (lambda: to_h(weights=np.ones(3, int)), [PROJECTION, "must be a matrix", "not int64 of shape [3]", "quantize them first"]),
    # A loop without a delay.
    (loop, ["Network 'n': ", "delay 0 form a cycle through ", "a recurrent projection needs a delay of at least 1"]),
    (lambda: net(to_h(), Projection(source="h", target="h", weights=np.eye(2, dtype=int))),
     ["Network 'n': ", "delay 0 form a cycle through h -> h", "a recurrent projection needs a delay of at least 1"]),
    # Ends of projections.
    (lambda: net(to_h(source="y")), ["Projection y -> h: ", "no population 'y'", "there are x, h"]),
    (lambda: net(to_h(target="z")), ["Projection x -> z: ", "no population 'z'", "there are x, h"]),
    (lambda: net(to_h(), Projection(source="h", target="x", weights=ONES.T)),
     ["Projection h -> x: ", "an input cannot be a target", "lead to a population of another model"]),
    (lambda: net(to_h(), Projection(source="h", target="h", weights=np.eye(2, dtype=int), delay=1), populations=(X, li())),
     ["Projection h -> h: ", "an LI population does not spike", "use a model that fires, or lead from a population before it"]),
    # Formats of weights.
    (lambda: to_h(weights=ONES * 9, weight_bits=4),
     [PROJECTION, "weights 9..9 do not fit 4 bits (-8..7)", "8 at most), or smaller weights and a shift"]),
    (lambda: to_h(weights=ONES * 200), [PROJECTION, "200..200 do not fit 8 bits (-128..127)", "smaller weights and a shift"]),
    (lambda: to_h(weight_bits=9), [PROJECTION, "weight_bits must be 1 to 8, not 9"]),
    (lambda: to_h(weights=ONES * 0, weight_bits=1),
     [PROJECTION, "weight 0 from neuron 0 to neuron 0", "(-1, 1); 6 weights", "use 2 bits or more, or a codebook"]),
    (lambda: to_h(weight_bits=2.0), [PROJECTION, "weight_bits must be an integer, not 2.0"]),
    (lambda: to_h(shift=13), [PROJECTION, "shift must be 0 to 12, not 13"]),
    (lambda: to_h(delay=64), [PROJECTION, "delay must be 0 to 63 timesteps, not 64"]),
    (lambda: to_h(delay=-1), [PROJECTION, "delay must be 0 to 63 timesteps, not -1"]),
    # Codebooks.
    (lambda: Projection.from_indices(source="x", target="h", codebook=(0, 5, 9), indices=ONES * 3),
     [PROJECTION, "index 3 from neuron 0 to neuron 0 is out of range", "3 entries, 0 to 2", "mend the index or add entries (16 at most)"]),
    (lambda: Projection.from_indices(source="x", target="h", codebook=(0, 5), indices=-ONES),
     [PROJECTION, "index -1 from neuron 0", "mend the index or add entries (16 at most)"]),
    (lambda: Projection.from_indices(source="x", target="h", codebook=(0, 5), indices=ONES / 1),
     [PROJECTION, "indices must be a matrix of integers, not float64", "give [target size, source size]"]),
    (lambda: to_h(codebook=(0, 5, 9), weights=np.array([[0, 5, 9], [0, 4, 3]])),
     [PROJECTION, "weight 4 from neuron 1 to neuron 1 is no entry", "(0, 5, 9); 2 weights", "use a codebook of 16 entries at most that has them"]),
    (lambda: to_h(codebook=(1,)), [PROJECTION, "a codebook has 2 to 16 integers, not int64 of shape [1]"]),
    (lambda: to_h(codebook=range(17)), [PROJECTION, "a codebook has 2 to 16 integers, not int64 of shape [17]"]),
    (lambda: to_h(codebook=(1, 200)), [PROJECTION, "entries of a codebook must be -128 to 127, not 1..200"]),
    (lambda: to_h(codebook=(1, 2, 1)), [PROJECTION, "an entry of the codebook [1, 2, 1] occurs twice", "list each value once"]),
    # Ports.
    (lambda: net(to_h(), to_h(port=Port.GATE)), [PROJECTION, "port 'z' is that of a gate, and 'h' is lif", "use a SPIKGRU, or port 'i'"]),
    (lambda: net(to_h(), to_h(port=Port.BLOCK)), [PROJECTION, "port 'block'", "'h' has none", "give it inhibition=1 to 63"]),
    (lambda: net(to_h(), to_h(port=Port.BLOCK), populations=(X, gru(inhibition=2))),
     [PROJECTION, "'h' has a gate", "inhibit it by negative weights at 'i'"]),
    (lambda: net(to_h(), to_h(port=Port.GATE, kind=Kind.SPARSE), populations=(X, gru())),
     [PROJECTION, "can be sparse, not into 'z'", "make it dense"]),
    (lambda: to_h(port="g"), [PROJECTION, "port must be one of 'i', 'z', 'block', not 'g'"]),
    (lambda: to_h(kind="thin"), [PROJECTION, "kind must be one of 'dense', 'sparse'", "not 'thin'"]),
    # Matrices.
    (lambda: net(to_h(matrix="w"), to_h(matrix="w", weights=ONES * 2, delay=1)),
     [PROJECTION, "shares the matrix 'w' with x -> h", "its weights, ", "differ", "make them equal, or give it another name"]),
    (lambda: net(to_h(matrix="w"), to_h(matrix="w", shift=1)), [PROJECTION, "matrix 'w'", "shift", "make them equal, or give it another name"]),
    (lambda: net(to_h(matrix="w"), to_h(matrix="w", kind=Kind.SPARSE)), [PROJECTION, "kind differ", "make them equal, or give it another name"]),
    (lambda: to_h(matrix="1st"), [PROJECTION, "the name of a matrix is a letter", "rename it"]),
    # The network as a whole.
    (lambda: net(to_h(), name="my net"), ["Network 'my net': ", "a name is a letter", "rename it"]),
    (lambda: net(populations=()), ["Network 'n': ", "0 populations; 1 to 256", "join those with the same parameters, or split the network"]),
    (lambda: net(to_h(), populations=(X, h(), h())), ["Network 'n': ", "two populations are called 'h'", "rename one"]),
    (lambda: net(populations=(h(),)), ["Network 'n': ", "no input population", "add one of model 'input'"]),
    (lambda: net(to_h(), populations=(X, h(output=False))), ["Network 'n': ", "no population is an output", "give one output=True or a readout"]),
    (lambda: net(to_h()).population("k"), ["Network 'n': ", "no population 'k'", "there are x, h"]),
])
def test_a_network_or_projection_that_is_wrong_says_which_and_what_to_do(build, parts) -> None:
    refused(build, *parts)


def test_more_synapses_than_a_network_can_have_are_refused() -> None:
    x, many = Population(name="x", size=1 << 14, model=Model.INPUT), h(size=1 << 12)
    weights = np.zeros((1 << 12, 1 << 14), dtype=np.int8)
    projections = [Projection(source="x", target="h", weights=weights, delay=k) for k in range(2)]
    refused(lambda: net(*projections, populations=(x, many)), "Network 'n': ", f"{2 << 26} synapses; at most {1 << 26}", "use smaller populations")


@pytest.mark.parametrize("build, parts", [
    # Whatever the model.
    (lambda: h(name="2nd"), ["Population '2nd': ", "a name is a letter", "rename it"]),
    (lambda: h(size=0), [POPULATION, "size must be 1 to 65536, not 0"]),
    (lambda: h(size=2.0), [POPULATION, "size must be an integer, not 2.0"]),
    (lambda: h(v_bits=33), [POPULATION, "v_bits must be 2 to 32, not 33"]),
    (lambda: h(guard_bits=13), [POPULATION, "guard_bits must be 0 to 12, not 13"]),
    (lambda: h(model="liff"), [POPULATION, "model must be one of 'input', 'if', 'lif'", "not 'liff'"]),
    (lambda: h(reset="hard"), [POPULATION, "reset must be one of 'subtract', ", "not 'hard'"]),
    (lambda: h(theta=0), [POPULATION, "theta must be 1 to 127 (8 bits), not 0..0", "use more v_bits or other thresholds"]),
    (lambda: h(theta=[5, 128]), [POPULATION, "theta must be 1 to 127 (8 bits), not 5..128", "use more v_bits or other thresholds"]),
    (lambda: h(theta=1.5), [POPULATION, "theta must be integers, not float64", "quantize it first"]),
    (lambda: h(theta=[1, 2, 3]), [POPULATION, "theta must have one entry per neuron (2), or be one integer for all", "not of shape [3]"]),
    (lambda: h(bias=200), [POPULATION, "a bias of 200 does not fit 8 bits", "use more v_bits or a smaller bias"]),
    (lambda: cuba(bias=200, i_bits=8, v_bits=16), [POPULATION, "a bias of 200 does not fit 8 bits", "use more i_bits or a smaller bias"]),
    (lambda: h(v_init=-129), [POPULATION, "v_init -129 does not fit 8 bits", "use more v_bits or another v_init"]),
    (lambda: h(v_floor=1), [POPULATION, "v_floor must be -128 to 0, not 1"]),
    (lambda: h(v_floor=-129), [POPULATION, "v_floor must be -128 to 0, not -129"]),
    (lambda: h(v_floor=-1.5), [POPULATION, "v_floor must be an integer, not -1.5"]),
    (lambda: h(v_floor=-4, v_init=-5), [POPULATION, "v_init -5 does not fit 8 bits above the lower clip of -4", "or another v_init"]),
    (lambda: h(labels=("a",)), [POPULATION, "1 labels for 2 neurons", "give one label for each, or none"]),
    # Inputs.
    (lambda: replace(X, output=True), ["Population 'x': an input cannot be an output", "leave output and readout out"]),
    (lambda: replace(X, payload_max=256), ["Population 'x': payloads must be within -256..255, not 1..256"]),
    (lambda: replace(X, payload_min=3, payload_max=2), ["Population 'x': payloads must be within -256..255, not 3..2"]),
    (lambda: replace(X, v_floor=0), ["Population 'x': v_floor means nothing to the model input", "leave it out"]),
    (lambda: h(payload_max=3), [POPULATION, "only an input has a payload range", "leave payload_min and payload_max out"]),
    # Readouts.
    (lambda: h(readout=Readout.LAST), [POPULATION, "is read as a count, a first spike, a vote, or not at all", "not last"]),
    (lambda: li(readout=Readout.COUNT), [POPULATION, "an LI population is a readout: last, sum or max, not count"]),
    (lambda: li(reset=Reset.ZERO), [POPULATION, "an LI neuron does not fire, so it has no reset", "leave reset at 'none'"]),
    (lambda: h(readout=Readout.VOTE), [POPULATION, "classes of neurons and the readout 'vote' go together", "give both, or neither"]),
    (lambda: h(classes=[0, 1]), [POPULATION, "go together", "give both, or neither"]),
    (lambda: h(classes=[-1, -1], readout=Readout.VOTE),
     [POPULATION, "classes must be 0 to 4095 (-1 for none)", "at least must have one, not -1..-1"]),
    (lambda: h(classes=[0, 4096], readout=Readout.VOTE), [POPULATION, "classes must be 0 to 4095", "not 0..4096"]),
    (lambda: h(classes=[0, 0], readout=Readout.VOTE, labels=("a", "b")), [POPULATION, "2 labels for 1 classes", "give one label for each, or none"]),
    # Decays, and factors per neuron.
    (lambda: h(model=Model.IF, decay=Decay(shift_a=1)), [POPULATION, "an IF neuron has no decay of its membrane", "use LIF"]),
    (lambda: gru(decay=Decay(shift_a=1)), [POPULATION, "has no decay of its membrane", "leave decay out: its gate takes that place"]),
    (lambda: h(beta=[1, 2]), [POPULATION, "beta gives a factor per neuron, so decay must be a multiplier (factor and fraction_bits), not no decay"]),
    (lambda: cuba(alpha=[1, 2], current_decay=Decay(shift_a=1)), [POPULATION, "alpha gives", "so current_decay must be a multiplier", "not shifts"]),
    (lambda: h(beta=[1, 17], decay=Decay(factor=3, fraction_bits=4)), [POPULATION, "beta must be 0 to 16, not 1..17"]),
    (lambda: h(beta=[-1, 2], decay=Decay(factor=3, fraction_bits=4)), [POPULATION, "beta must be 0 to 16, not -1..2"]),
    (lambda: h(beta=[1, 2, 3], decay=Decay(factor=3, fraction_bits=4)), [POPULATION, "beta must have one entry per neuron (2)", "not of shape [3]"]),
    # Gates.
    (lambda: h(model=Model.SPIKGRU), [POPULATION, "a SPIKGRU needs a gate_table of 2, 4, ... 4096 integers, not float64 of shape [0]"]),
    (lambda: gru(gate_table=[0, 1, 2]), [POPULATION, "gate_table of 2, 4, ... 4096 integers", "shape [3]"]),
    (lambda: gru(gate_table=np.zeros((2, 2), int)), [POPULATION, "gate_table of 2, 4, ... 4096 integers", "shape [2, 2]"]),
    (lambda: gru(gate_table=np.zeros(1 << 13, int)), [POPULATION, "gate_table of 2, 4, ... 4096 integers", "shape [8192]"]),
    (lambda: gru(gate_table=[0, 256]), [POPULATION, "entries of the gate_table must be 0 to 255 (in 1/256), not 0..256"]),
    (lambda: gru(gate_table=[-1, 255]), [POPULATION, "entries of the gate_table must be 0 to 255 (in 1/256), not -1..255"]),
    (lambda: gru(gate_shift=32), [POPULATION, "gate_shift must be 0 to 31, not 32"]),
    (lambda: gru(gate_bias=1 << 31), [POPULATION, f"a gate_bias of {1 << 31} does not fit 32 bits", "use a smaller one"]),
    # Adaptation, several spikes, rest.
    (lambda: alif(a_bits=32), [POPULATION, "a_bits must be 1 to 31, not 32"]),
    (lambda: alif(a_bits=4, jump=16), [POPULATION, "jump must be 0 to 15 (4 bits), not 16..16"]),
    (lambda: alif(jump=-1), [POPULATION, "jump must be 0 to 65535 (16 bits), not -1..-1"]),
    (lambda: alif(max_spikes=2), [POPULATION, "fires at most once in a timestep", "leave max_spikes at 1"]),
    (lambda: h(max_spikes=256), [POPULATION, "max_spikes must be 1 to 255, not 256"]),
    (lambda: h(max_spikes=0), [POPULATION, "max_spikes must be 1 to 255, not 0"]),
    (lambda: h(refractory=64), [POPULATION, "refractory must be 0 to 63, not 64"]),
    (lambda: h(inhibition=-1), [POPULATION, "inhibition must be 0 to 63, not -1"]),
    (lambda: h(refractory_mode=Refractory.INTEGRATE, refractory=2, inhibition=2),
     [POPULATION, "inhibition keeps a neuron from firing, not from integrating", "use the refractory mode 'fire'"]),
    (lambda: cuba(i_bits=1), [POPULATION, "i_bits must be 2 to 32, not 1"]),
])
def test_a_population_that_is_wrong_is_named_and_says_what_to_do(build, parts) -> None:
    refused(build, *parts)


UNUSED = {"current_decay": Decay(shift_a=1), "i_bits": 8, "gain": Gain.COMPLEMENT, "gate_table": [0, 1], "gate_shift": 1, "gate_bias": 1,
          "adaptation_decay": Decay(shift_a=1), "jump": 1, "a_bits": 8}


@pytest.mark.parametrize("name", UNUSED)
def test_parameters_that_a_model_does_not_have_are_refused_by_name(name: str) -> None:
    refused(lambda: h(**{name: UNUSED[name]}), f"Population 'h': {name} means nothing to the model lif", "leave it out")


@pytest.mark.parametrize("name, value", [("max_spikes", 2), ("refractory", 1), ("refractory_mode", Refractory.INTEGRATE), ("inhibition", 1)])
@pytest.mark.parametrize("build, model", [(li, "li"), (lambda **fields: replace(X, name="h", **fields), "input")])
def test_what_only_a_neuron_that_fires_has_is_refused_of_others(build, model, name, value) -> None:
    refused(lambda: build(**{name: value}), f"Population 'h': {name} means nothing to the model {model}", "leave it out")


@pytest.mark.parametrize("fields, text", [
    ({"factor": 3}, "a factor goes with fraction_bits and without shifts"),
    ({"factor": 3, "fraction_bits": 13}, "fraction_bits must be 1 to 12, not 13"),
    ({"factor": 17, "fraction_bits": 4}, "factor must be 0 to 16, not 17"), ({"fraction_bits": 4}, "fraction_bits goes with a factor"),
    ({"shift_b": 1}, "shift_b goes with shift_a"), ({"shift_a": 16}, "a shift must be 1 to 15, not 16")])
def test_a_decay_that_is_wrong_says_what_it_needs(fields: dict, text: str) -> None:
    refused(lambda: Decay(**fields), "Decay: ", text)


def test_a_decay_in_a_file_is_refused_with_the_name_of_its_population(tmp_path) -> None:
    data = network_bytes(net(to_h(), populations=(X, h(decay=Decay(factor=15, fraction_bits=4)))))
    old, new = b'"factor": 15, "fraction_bits": 4', b'"factor": 17, "fraction_bits": 4'
    (tmp_path / "net.npz").write_bytes(mended(data, old, new))
    refused(lambda: load_network(tmp_path / "net.npz"), "net.npz: Population 'h': decay: Decay: factor must be 0 to 16, not 17")


def mended(data: bytes, old: bytes, new: bytes) -> bytes:
    """A file with another text of the same length in its header, and its checksum."""
    source, out = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            assert entry.filename != "header.npy" or old in content
            target.writestr(entry, content.replace(old, new))
    return out.getvalue()


def test_sums_that_exceed_an_accumulator_are_refused_by_the_plan_with_the_population() -> None:
    """More than 2**48 would take 2**21 synapses of the largest payloads and shifts: the memory word's limit is lowered instead."""
    x = Population(name="x", size=40, model=Model.INPUT, payload_min=-256, payload_max=255)
    wide, narrow = (Projection(source="x", target="h", weights=np.full((2, 40), 127), shift=shift) for shift in (12, 0))
    network = net(wide, narrow, populations=(x, h()))
    needed = plan(network).tiles[0].accumulator_bits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("spikeloom.gen.plan"), "MAX_ACCUMULATOR_BITS", needed)
        plan(network)
        patch.setattr(importlib.import_module("spikeloom.gen.plan"), "MAX_ACCUMULATOR_BITS", needed - 1)
        refused(lambda: plan(network), "Population 'h': ", f"accumulators of {needed} bits, and {needed - 1} is the most",
                "use smaller shifts, narrower weights or payloads, or a smaller fan-in.", error=CapacityError)


def test_integers_of_numpy_and_names_of_members_are_taken() -> None:
    p = Population(name="h", size=np.int64(2), model="lif", reset="zero", v_bits=np.int8(8), readout="count")
    assert (type(p.size), p.model, p.reset, p.readout, p.output) == (int, Model.LIF, Reset.ZERO, Readout.COUNT, True)
    q = to_h(port="i", kind="sparse", delay=np.int32(2), codebook=(0, 1))
    assert (q.port, q.kind, type(q.delay)) == (Port.CURRENT, Kind.SPARSE, int)
    assert net(q, populations=(X, p)).digest == net(to_h(kind=Kind.SPARSE, delay=2, codebook=(0, 1)),
                                                    populations=(X, h(reset=Reset.ZERO, readout=Readout.COUNT))).digest


@pytest.mark.parametrize("build, parts", [
    (lambda: h(decay=0.9), ("Population 'h': ", "decay must be a Decay, not 0.9", "0.9 is Decay(factor=230, fraction_bits=8)")),
    (lambda: cuba(current_decay=None), ("Population 'h': ", "current_decay must be a Decay, not None", "0.9 is Decay(factor=230, fraction_bits=8)")),
    (lambda: alif(adaptation_decay={"factor": 3}), (POPULATION, "adaptation_decay must be a Decay", "0.9 is Decay(factor=230, fraction_bits=8)")),
    (lambda: h(readout=Readout.COUNT, labels="ab"), (POPULATION, "labels must be a tuple of text", "give one for each readout value, or none")),
    (lambda: h(readout=Readout.COUNT, labels=(1, 2)), (POPULATION, "labels must be a tuple of text", "give one for each readout value, or none")),
    (lambda: net(to_h(), populations=(X, None)), ("Network 'n': ", "number 1 of its populations is None, not a Population")),
    (lambda: net(to_h(), metadata={"a": object()}), ("Network 'n': ", "its metadata must be JSON values", "make text of the others")),
])
def test_parts_of_another_type_are_refused(build, parts):
    refused(build, *parts)


def test_labels_may_be_a_list():
    assert h(readout=Readout.COUNT, labels=["a", "b"]).labels == ("a", "b")
