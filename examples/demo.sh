#!/bin/sh
# The whole way, for the bundled keyword-spotting network: what is in it, its Verilog, and the proof on a spoken word.
set -eu
cd "$(dirname "$0")/.."
say() { printf '\n$ %s\n' "$*"; "$@"; }

say spikeloom info models/kws-small.npz
say spikeloom build models/kws-small.npz --board ulx3s_85f -o build/demo
say spikeloom cosim build/demo --input examples/clips/yes.wav --engine icarus
