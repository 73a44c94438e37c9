"""`spikeloom boards`: what it says of each board."""

from __future__ import annotations

import json

from spikeloom.boards import catalogue
from spikeloom.software.cli.main import main


def test_boards_lists_flow_budget_link_and_what_was_tried_and_claims_no_hardware(capsys) -> None:
    assert main(["boards"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "ecp5, bitstream" in lines["ulx3s_85f"] and "83,640" in lines["ulx3s_85f"] and lines["ulx3s_85f"].endswith("built here")
    assert "Vivado project, AXI" in lines["arty_z7_20"] and lines["arty_z7_20"].endswith("plan only")
    assert "UART on 0, 1" in lines["orangecrab_25f"] and "Verilog" in lines["generic"] and lines["generic"].endswith("not tried")
    assert "nothing was tested on hardware" in out


def test_boards_as_json_are_one_object_by_name(capsys) -> None:
    assert main(["boards", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == "" and out.count("\n") == 1 and tuple(found) == catalogue.names()
    assert found["ulx3s_85f"] == {"description": catalogue.find("ulx3s_85f").description, "flow": "ecp5", "bitstream": True, "clock_mhz": 25.0,
                                  "budget": dict(catalogue.find("ulx3s_85f").budget), "memories": "distributed", "link": "UART", "loader": "ulx3s",
                                  "tried": "built"}
    assert [(found[name]["bitstream"], found[name]["link"]) for name in ("arty_a7_35", "arty_z7_20", "generic")] == [
        (False, "UART"), (False, "AXI"), (False, None)]
    assert found["generic"]["clock_mhz"] is found["generic"]["tried"] is None and found["generic"]["budget"] == {}
