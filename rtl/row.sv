// A row: P elements that share one weight, and the sequencer that issues a plane to them in every cycle.
//
// The weight memory holds, filter after filter, the weights that the row computes, and the filter memory one word a
// filter; both answer in the same cycle. Neither a pruned weight, nor the next weight, group or filter, costs a cycle.
module row #(
    parameter int PES     = 2,
    parameter int CODE_W  = 18,
    parameter int ACT_W   = 18,
    parameter int ACC_W   = 64,
    parameter int ADDR_W  = 32,
    parameter int PLANE_W = 5
) (
    input  logic                           clk,
    input  logic                           reset,
    input  logic                           start,          // take the configuration; the first plane is in the next cycle

    // The layer; constant from `start` on.
    input  logic                           mid_tread,
    input  logic                           by_filter,      // planes of a weight: those of its filter, not its own
    input  logic [ADDR_W-1:0]              positions,      // over all repeats
    input  logic [ADDR_W-1:0]              first_entry,    // of the row, in the weight memory
    input  logic [ADDR_W-1:0]              first_filter,   // of the row, in the filter memory
    input  logic [ADDR_W-1:0]              filters,        // that the row computes; 0 leaves it idle
    input  logic [PES-1:0][ADDR_W-1:0]     start_x,
    input  logic [PES-1:0][ADDR_W-1:0]     start_y,
    input  logic [PES-1:0][ADDR_W-1:0]     start_corner,
    input  logic [ADDR_W-1:0]              out_width,
    input  logic [ADDR_W-1:0]              out_height,
    input  logic [ADDR_W-1:0]              step_x,
    input  logic [ADDR_W-1:0]              step_y,
    input  logic [ADDR_W-1:0]              advance,
    input  logic [ADDR_W-1:0]              wrap_x,
    input  logic [ADDR_W-1:0]              wrap_y,

    // Weight memory.
    output logic [ADDR_W-1:0]              entry,
    input  logic signed [CODE_W-1:0]       code,
    input  logic [ADDR_W-1:0]              offset,         // of the weight's activation from the corner
    input  logic                           last_weight,    // of its filter

    // Filter memory.
    output logic [ADDR_W-1:0]              filter_entry,
    input  logic [ADDR_W-1:0]              filter,
    input  logic [PLANE_W-1:0]             filter_width,

    // Activation buffer, one port an element.
    output logic [PES-1:0][ADDR_W-1:0]     address,
    input  logic [PES-1:0][ACT_W-1:0]      activation,

    // What happens in this cycle.
    output logic                           working,
    output logic [PLANE_W-1:0]             plane,
    output logic [ADDR_W-1:0]              position,       // of the first element
    output logic [PES-1:0]                 busy,
    output logic [PES-1:0][ACC_W-1:0]      partial,

    // Finished sums, in the cycle after their last plane.
    output logic                           done,
    output logic [ADDR_W-1:0]              done_filter,
    output logic [ADDR_W-1:0]              done_position,
    output logic [PES-1:0]                 done_mask,
    output logic [PES-1:0][ACC_W-1:0]      sum
);
    localparam logic [PLANE_W-1:0] ONE_PLANE = 1;
    localparam logic [ADDR_W-1:0]  ONE = 1, GROUP = PES;

    logic [ADDR_W-1:0]  filter_start, filters_left;
    logic               first_plane;
    logic [PLANE_W-1:0] least, width, exponent;
    logic               plus, minus;

    // What ends with this cycle.
    logic weight_ends, group_ends, filter_ends, row_ends;

    plane_encoder #(.CODE_W(CODE_W), .PLANE_W(PLANE_W)) encoder (
        .mid_tread, .code, .width, .plane, .least, .plus, .minus, .exponent
    );

    assign width       = by_filter ? filter_width : least;
    assign weight_ends = working && plane + ONE_PLANE == width;
    assign group_ends  = weight_ends && last_weight;
    assign filter_ends = group_ends && positions - position <= GROUP;
    assign row_ends    = filter_ends && filters_left == ONE;

    always_ff @(posedge clk) begin
        done <= 1'b0;
        if (reset) begin
            working <= 1'b0;
        end else if (start) begin
            working      <= filters != '0;
            plane        <= '0;
            first_plane  <= 1'b1;
            entry        <= first_entry;
            filter_start <= first_entry;
            filter_entry <= first_filter;
            filters_left <= filters;
            position     <= '0;
        end else if (working) begin
            working     <= !row_ends;
            plane       <= weight_ends ? '0 : plane + ONE_PLANE;
            first_plane <= group_ends;
            if (filter_ends) begin
                entry        <= entry + ONE;
                filter_start <= entry + ONE;
                filter_entry <= filter_entry + ONE;
                filters_left <= filters_left - ONE;
                position     <= '0;
            end else if (group_ends) begin
                entry        <= filter_start;
                position     <= position + GROUP;
            end else if (weight_ends) begin
                entry        <= entry + ONE;
            end
            done          <= group_ends;
            done_filter   <= filter;
            done_position <= position;
            done_mask     <= busy;
        end
    end

    for (genvar p = 0; p < PES; p++) begin : element
        localparam logic [ADDR_W-1:0] INDEX = p;
        logic [ADDR_W-1:0] corner;

        assign busy[p]    = working && INDEX < positions - position;
        assign address[p] = corner + offset;

        position #(.ADDR_W(ADDR_W)) place (
            .clk, .first(start || filter_ends), .next(group_ends),
            .start_x(start_x[p]), .start_y(start_y[p]), .start_corner(start_corner[p]),
            .out_width, .out_height, .step_x, .step_y, .advance, .wrap_x, .wrap_y, .corner
        );
        pe #(.ACT_W(ACT_W), .ACC_W(ACC_W), .PLANE_W(PLANE_W)) unit (
            .clk, .enable(busy[p]), .first(first_plane), .plus, .minus, .exponent,
            .x(activation[p]), .partial(partial[p]), .accumulator(sum[p])
        );
    end
endmodule
