"""Deep networks on the 8x8 digits that scikit-learn bundles: trained as an ANN, converted, and trained on as a spiking network."""
