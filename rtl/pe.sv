// A processing element: in a cycle it adds digit * x * 2^exponent to its accumulator.
//
// The first plane of a group starts from zero instead of the old sum, which takes the place of a cycle to clear it. The
// finished sum stands in the accumulator for the one cycle after the last plane.
module pe #(
    parameter int ACT_W   = 18,
    parameter int ACC_W   = 64,
    parameter int PLANE_W = 5
) (
    input  logic                    clk,
    input  logic                    enable,
    input  logic                    first,
    input  logic                    plus,
    input  logic                    minus,
    input  logic [PLANE_W-1:0]      exponent,
    input  logic signed [ACT_W-1:0] x,
    output logic signed [ACC_W-1:0] partial,        // the sum that this cycle adds to
    output logic signed [ACC_W-1:0] accumulator
);
    logic signed [ACC_W-1:0] shifted;

    assign partial  = first ? '0 : accumulator;
    assign shifted = ACC_W'(x) <<< exponent;

    always_ff @(posedge clk) begin
        if (enable) begin
            if (plus)       accumulator <= partial + shifted;
            else if (minus) accumulator <= partial - shifted;
            else            accumulator <= partial;
        end
    end
endmodule
