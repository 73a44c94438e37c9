#!/bin/sh
# Builds a network, proves its Verilog on Icarus, and writes a report.   check.sh NET.npz CLIPS [LIMIT]
#
# Exit status: that of spikeloom: 0 equal, 1 hardware and model differ, 2 wrong input or a missing tool. OUT (default build/spikeloom) is the folder that is
# published: chip/ (Verilog, memory image, manifest), cosim.json and report.md. In GitHub Actions the report also goes to the page of the run.
set -eu
network=$1 clips=$2 limit=${3:-2} out=${OUT:-build/spikeloom}
mkdir -p "$out"
rm -rf "$out/chip" "$out/cosim.json" "$out/report.md"

spikeloom build "$network" --board generic -o "$out/chip"
status=0
spikeloom cosim "$out/chip" --input "$clips" --limit "$limit" --engine icarus --json > "$out/cosim.json" || status=$?
case $status in
    0) verdict="The Verilog equals the golden model." ;;
    1) verdict="**The Verilog DIFFERS from the golden model.**" ;;
    *) verdict="**There was no comparison: spikeloom cosim ended with status $status.**" ;;
esac
{
    printf '# Co-simulation of %s\n\n%s\n\n```json\n' "$network" "$verdict"
    cat "$out/cosim.json"
    printf '```\n\n'
    cat "$out/chip/report.md"
} > "$out/report.md"
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then cat "$out/report.md" >> "$GITHUB_STEP_SUMMARY"; fi
printf '%s\n' "$verdict"
exit $status
