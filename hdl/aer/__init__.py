"""Asynchronous address events (AER) in and out: four-phase handshake, bundled data. docs/aer.md is their manual."""
