"""Energy of a network by the equations of Dampfhoffer's thesis: counts of operations times their relative costs. See docs/energy.md.

M. Dampfhoffer, "Models and algorithms for implementing energy-efficient spiking neural networks on neuromorphic hardware at the edge",
PhD thesis, Univ. Grenoble Alpes, 2023 (tel-04331152). Equations and tables are numbered as there: 3.x compares feed-forward networks,
4.x recurrent ones.
"""
