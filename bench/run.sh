#!/bin/sh
# make bench: every measurement of docs/performance.md. What was synthesised before is not synthesised again (build/bench/cache).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1

"$python" -W ignore::UserWarning bench/fpga.py --write
printf '\n'
"$python" bench/golden_speed.py
if [ -d ../shared/truth/neurobench ]; then
    printf '\n'
    "$python" bench/neurobench_accuracy.py
fi
