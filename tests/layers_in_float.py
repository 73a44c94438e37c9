"""Layers of float_models.py as float networks of the library."""

from __future__ import annotations

from float_models import FloatLayer

from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from spikeloom.spec.network import Gain, Model, Port, Readout, Refractory

__all__ = ["of_layer"]

KIND = {"lif": Model.LIF, "cubalif": Model.CUBALIF, "cubalif_unit": Model.CUBALIF, "spikgru": Model.SPIKGRU, "alif": Model.ALIF}


def of_layer(layer: FloatLayer, **fields) -> FloatNetwork:
    """The float network of a layer of float_models.py: input ``x``, population ``y``."""
    model, size = KIND[layer.model], len(layer.b)
    if model is not Model.SPIKGRU:
        fields["beta"] = layer.beta
    if model in (Model.CUBALIF, Model.SPIKGRU):
        fields["alpha"] = layer.alpha
    if layer.model == "cubalif":
        fields["gain"] = Gain.COMPLEMENT
    if model is Model.ALIF:
        fields |= {"rho": layer.rho, "jump": layer.jump}
    projections = [FloatProjection(source="x", target="y", weights=layer.w, delay=layer.delay),
                   FloatProjection(source="y", target="y", weights=layer.u, delay=1)]
    if layer.w_z is not None and layer.u_z is not None:
        fields["gate_bias"] = layer.b_z
        projections += [FloatProjection(source="x", target="y", weights=layer.w_z, delay=layer.delay, port=Port.GATE),
                        FloatProjection(source="y", target="y", weights=layer.u_z, delay=1, port=Port.GATE)]
    return FloatNetwork(name="layer", projections=tuple(projections), populations=(
        FloatPopulation(name="x", size=layer.w.shape[1], model=Model.INPUT),
        FloatPopulation(name="y", size=size, model=model, bias=layer.b, threshold=layer.theta, strict=layer.strict, v_init=layer.v_init,
                        max_spikes=layer.max_spikes, refractory=layer.refractory, readout=Readout.COUNT,
                        refractory_mode=Refractory.INTEGRATE if layer.hold else Refractory.FIRE, **fields)))
