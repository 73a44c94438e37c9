"""SpikeLoom: spiking neural networks on FPGA tiles, proven equal to their golden model.

>>> import spikeloom
>>> network = spikeloom.load("models/kws-small.npz")
>>> network.population("word").labels[:3]
('down', 'go', 'left')
"""

from .software.api import boards, compile, cosim, deploy, energy, load, quantize, run, save, simulate, spot, to_nir

__version__ = "0.1.0"
__all__ = ["boards", "compile", "cosim", "deploy", "energy", "load", "quantize", "run", "save", "simulate", "spot", "to_nir"]
