"""A chip behind AXI4-Lite and AXI4-Stream, for those who drop it into a SoC. docs/axi.md is its manual."""
