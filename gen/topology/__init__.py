"""Builders of wiring patterns: each returns the projections (and populations) of one pattern, to be listed in a Network like any others."""

from .joined import concatenated, one_to_one
from .lateral import lateral_blocking, lateral_inhibition
from .maps import concatenated_maps, map_skip, projected_skip
from .pairs import InhibitoryPairs, inhibitory_pairs
from .scattered import random_synapses, reservoir
from .unroll import Unrolled, unrolled

__all__ = ["InhibitoryPairs", "Unrolled", "concatenated", "concatenated_maps", "inhibitory_pairs", "lateral_blocking", "lateral_inhibition",
           "map_skip", "one_to_one", "projected_skip", "random_synapses", "reservoir", "unrolled"]
