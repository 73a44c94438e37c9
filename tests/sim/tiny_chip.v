// A chip of three IF neurons, each of which spikes up to twice in a timestep, with the ports of a generated one, written by hand from docs/architecture.md, section 5: so the engines are
// tested on hardware that no generator made. tiny_chip.py says what it must do.
module tiny(
  input clk, input rst,
  input [1:0] events__payload, input events__valid, output events__ready,
  input [17:0] control__payload, input control__valid, output control__ready,
  output [19:0] spikes__payload, output spikes__valid, input spikes__ready,
  output [19:0] readouts__payload, output readouts__valid, input readouts__ready,
  output answer__valid, output [1:0] answer__index, output [15:0] answer__confidence,
  output status__start, output status__finish, output [4:0] status__errors, output [47:0] status__rejected,
  output trace_0__valid, output trace_0__index, output [15:0] trace_0__v);

  localparam STEP = 0, READ = 2, RESET = 3, THETA = 5;

  // Sequencer.
  reg pending, closing, active, start, reading;
  reg [1:0] command, number;
  reg [15:0] timestep;
  reg [1:0] beat;
  reg [2:0] mask;
  wire settled = beat == 0 && mask == 0 && !start && !reading;
  wire ends = settled && !closing && pending;
  assign control__ready = !pending;
  assign events__ready = !pending;
  assign status__start = start;
  assign status__finish = ends;

  // Neurons: v = v - THETA * n + sum of the weights of the events of the timestep; n = 2 where v >= 2 THETA, else 1 where v >= THETA.
  reg signed [7:0] v [0:2];
  reg signed [7:0] sum [0:2];
  reg [1:0] fired [0:2];
  reg [15:0] count [0:2];
  reg bad;
  wire taken = events__valid && events__ready;
  function signed [7:0] weight(input integer neuron, input [1:0] axon);
    case (neuron * 4 + axon)
      0: weight = 1;  1: weight = 2;  2: weight = 3;
      4: weight = 3;  5: weight = -1; 6: weight = 2;
      8: weight = 2;  9: weight = 2;  10: weight = -3;
      default: weight = 0;
    endcase
  endfunction
  function [1:0] times(input signed [7:0] v);
    times = v >= 2 * THETA ? 2 : v >= THETA ? 1 : 0;
  endfunction
  function signed [7:0] next(input signed [7:0] v, input [1:0] fired, input signed [7:0] sum);
    next = v - (fired == 2 ? 2 * THETA : fired == 1 ? THETA : 0) + sum;
  endfunction
  wire signed [7:0] next0 = next(v[0], fired[0], sum[0]);
  wire signed [7:0] next1 = next(v[1], fired[1], sum[1]);
  wire signed [7:0] next2 = next(v[2], fired[2], sum[2]);

  assign trace_0__valid = beat != 0;
  assign trace_0__index = beat == 2;
  assign trace_0__v = beat == 2 ? {8'd0, v[2]} : {v[1], v[0]};
  wire [1:0] lane = mask[0] ? 0 : mask[1] ? 1 : 2;
  assign spikes__valid = mask != 0;
  assign spikes__payload = {fired[lane], timestep, lane};
  assign readouts__valid = reading;
  assign readouts__payload = {number == 2, 1'b0, count[number], number};
  // The answer: the largest count, the lowest neuron of equals.
  reg answered;
  wire first = count[0] >= count[1] && count[0] >= count[2], second = count[1] >= count[2];
  wire [15:0] best = count[answer__index];
  wire [15:0] left = answer__index == 0 ? count[1] : count[0];
  wire [15:0] right = answer__index == 2 ? count[1] : count[2];
  assign answer__valid = answered;
  assign answer__index = first ? 0 : second ? 1 : 2;
  assign answer__confidence = best - (left > right ? left : right);
  assign status__errors = {4'b0, bad};
  assign status__rejected = {47'b0, bad};

  integer i;
  always @(posedge clk) begin
    start <= 0;
    if (control__valid && control__ready) begin
      pending <= 1;
      command <= control__payload[1:0];
    end
    for (i = 0; i < 3; i = i + 1)
      sum[i] <= (start ? 8'sd0 : sum[i]) + (taken ? weight(i, events__payload) : 8'sd0);
    if (taken && events__payload == 3) bad <= 1;
    if (start && active) begin
      v[0] <= next0; v[1] <= next1; v[2] <= next2;
      fired[0] <= times(next0); fired[1] <= times(next1); fired[2] <= times(next2);
      beat <= 1;
    end
    if (beat == 1) beat <= 2;
    if (beat == 2) begin
      beat <= 0;
      mask <= {fired[2] != 0, fired[1] != 0, fired[0] != 0};
      for (i = 0; i < 3; i = i + 1) count[i] <= count[i] + fired[i];
    end
    if (spikes__valid && spikes__ready) mask[lane] <= 0;
    if (reading && readouts__ready) begin
      number <= number + 1;
      if (number == 2) begin reading <= 0; answered <= 1; end
    end
    if (closing && settled) begin
      closing <= 0; pending <= 0; start <= 1;
    end
    if (ends) begin
      if (active) timestep <= timestep + 1;
      active <= command == STEP;
      if (command == STEP) begin start <= 1; pending <= 0; end
      else closing <= 1;
      if (command == READ) begin reading <= 1; number <= 0; answered <= 0; end
      if (command == RESET) begin
        timestep <= 0; answered <= 0;
        for (i = 0; i < 3; i = i + 1) begin v[i] <= 0; sum[i] <= 0; count[i] <= 0; fired[i] <= 0; end
      end
    end
    if (rst) begin
      pending <= 1; command <= RESET; closing <= 0; active <= 0; start <= 0; reading <= 0; beat <= 0; mask <= 0; number <= 0; bad <= 0; answered <= 0;
    end
  end
endmodule
