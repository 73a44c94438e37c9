"""Training of the bundled networks; needs the extra ``train`` (torch, soundfile). Nothing else in SpikeLoom imports it."""
