"""Networks of rectified linear units (ANNs) as spiking networks: reading them, threshold balancing, weight normalization."""
