// The variable-bit MAC array: R rows that run free of one another, and the counters of what they do.
//
// A layer is over when its last row is. `rows_working` is the state of every row in this cycle; the counters hold what
// happened in the cycles before it, since `start`.
module mac_array #(
    parameter int ROWS    = 2,
    parameter int PES     = 2,     // a row
    parameter int CODE_W  = 18,
    parameter int ACT_W   = 18,
    parameter int ACC_W   = 64,
    parameter int ADDR_W  = 32,
    parameter int PLANE_W = 5,
    parameter int COUNT_W = 64
) (
    input  logic                                 clk,
    input  logic                                 reset,
    input  logic                                 start,

    input  logic                                 mid_tread,
    input  logic                                 by_filter,
    input  logic [ADDR_W-1:0]                    positions,
    input  logic [ROWS-1:0][ADDR_W-1:0]          first_entry,
    input  logic [ROWS-1:0][ADDR_W-1:0]          first_filter,
    input  logic [ROWS-1:0][ADDR_W-1:0]          filters,
    input  logic [PES-1:0][ADDR_W-1:0]           start_x,
    input  logic [PES-1:0][ADDR_W-1:0]           start_y,
    input  logic [PES-1:0][ADDR_W-1:0]           start_corner,
    input  logic [ADDR_W-1:0]                    out_width,
    input  logic [ADDR_W-1:0]                    out_height,
    input  logic [ADDR_W-1:0]                    step_x,
    input  logic [ADDR_W-1:0]                    step_y,
    input  logic [ADDR_W-1:0]                    advance,
    input  logic [ADDR_W-1:0]                    wrap_x,
    input  logic [ADDR_W-1:0]                    wrap_y,

    output logic [ROWS-1:0][ADDR_W-1:0]          entry,
    input  logic [ROWS-1:0][CODE_W-1:0]          code,
    input  logic [ROWS-1:0][ADDR_W-1:0]          offset,
    input  logic [ROWS-1:0]                      last_weight,

    output logic [ROWS-1:0][ADDR_W-1:0]          filter_entry,
    input  logic [ROWS-1:0][ADDR_W-1:0]          filter,
    input  logic [ROWS-1:0][PLANE_W-1:0]         filter_width,

    output logic [ROWS-1:0][PES-1:0][ADDR_W-1:0]      address,
    input  logic [ROWS-1:0][PES-1:0][ACT_W-1:0]       activation,

    output logic [ROWS-1:0]                      rows_working,
    output logic [ROWS-1:0][PLANE_W-1:0]         plane,
    output logic [ROWS-1:0][ADDR_W-1:0]          position,
    output logic [ROWS-1:0][PES-1:0]                  busy,
    output logic [ROWS-1:0][PES-1:0][ACC_W-1:0]       partial,

    output logic [ROWS-1:0]                      done,
    output logic [ROWS-1:0][ADDR_W-1:0]          done_filter,
    output logic [ROWS-1:0][ADDR_W-1:0]          done_position,
    output logic [ROWS-1:0][PES-1:0]                  done_mask,
    output logic [ROWS-1:0][PES-1:0][ACC_W-1:0]       sum,

    output logic [COUNT_W-1:0]                   cycles,
    output logic [COUNT_W-1:0]                   busy_pe_cycles,
    output logic [COUNT_W-1:0]                   position_tail,       // idle elements of rows at work
    output logic [COUNT_W-1:0]                   row_finished_early   // idle elements of rows without work
);
    logic [COUNT_W-1:0]  busy_now, at_work_now;
    logic [ROWS*PES-1:0] flat_busy;

    for (genvar r = 0; r < ROWS; r++) begin : lane
        row #(
            .PES(PES), .CODE_W(CODE_W), .ACT_W(ACT_W), .ACC_W(ACC_W), .ADDR_W(ADDR_W), .PLANE_W(PLANE_W)
        ) unit (
            .clk, .reset, .start, .mid_tread, .by_filter, .positions,
            .first_entry(first_entry[r]), .first_filter(first_filter[r]), .filters(filters[r]),
            .start_x, .start_y, .start_corner, .out_width, .out_height, .step_x, .step_y, .advance, .wrap_x, .wrap_y,
            .entry(entry[r]), .code(code[r]), .offset(offset[r]), .last_weight(last_weight[r]),
            .filter_entry(filter_entry[r]), .filter(filter[r]), .filter_width(filter_width[r]),
            .address(address[r]), .activation(activation[r]),
            .working(rows_working[r]), .plane(plane[r]), .position(position[r]),
            .busy(busy[r]), .partial(partial[r]),
            .done(done[r]), .done_filter(done_filter[r]), .done_position(done_position[r]),
            .done_mask(done_mask[r]), .sum(sum[r])
        );
    end

    // Elements at work, and elements of rows at work. Loops, as simulators disagree on the sign of $countones.
    assign flat_busy = busy;
    always_comb begin
        busy_now    = '0;
        at_work_now = '0;
        for (int i = 0; i < ROWS * PES; i++) busy_now = busy_now + COUNT_W'(flat_busy[i]);
        for (int r = 0; r < ROWS; r++) if (rows_working[r]) at_work_now = at_work_now + COUNT_W'(PES);
    end

    always_ff @(posedge clk) begin
        if (reset || start) begin
            cycles             <= '0;
            busy_pe_cycles     <= '0;
            position_tail      <= '0;
            row_finished_early <= '0;
        end else if (rows_working != '0) begin
            cycles             <= cycles + 1'b1;
            busy_pe_cycles     <= busy_pe_cycles + busy_now;
            position_tail      <= position_tail + at_work_now - busy_now;
            row_finished_early <= row_finished_early + COUNT_W'(ROWS * PES) - at_work_now;
        end
    end
endmodule
