// The output position of one element, and where its receptive field begins in the activation buffer.
//
// From one group to the next an element moves on by P positions. P is split once a layer into step_y rows and step_x
// columns of the output image (whole images are in `advance` alone), so that a group costs two carries and no
// multiplication.
module position #(
    parameter int ADDR_W = 32
) (
    input  logic              clk,
    input  logic              first,         // go to the position that the element starts every filter with
    input  logic              next,          // go P positions on
    input  logic [ADDR_W-1:0] start_x,
    input  logic [ADDR_W-1:0] start_y,
    input  logic [ADDR_W-1:0] start_corner,
    input  logic [ADDR_W-1:0] out_width,
    input  logic [ADDR_W-1:0] out_height,
    input  logic [ADDR_W-1:0] step_x,
    input  logic [ADDR_W-1:0] step_y,
    input  logic [ADDR_W-1:0] advance,       // added to the corner in any case
    input  logic [ADDR_W-1:0] wrap_x,        // added where the move passes the end of a row
    input  logic [ADDR_W-1:0] wrap_y,        // added where it passes the end of an image
    output logic [ADDR_W-1:0] corner
);
    logic [ADDR_W-1:0] x, y, moved_x, moved_y;
    logic              carry_x, carry_y;

    assign moved_x = x + step_x;
    assign carry_x = moved_x >= out_width;
    assign moved_y = y + step_y + ADDR_W'(carry_x);
    assign carry_y = moved_y >= out_height;

    always_ff @(posedge clk) begin
        if (first) begin
            x      <= start_x;
            y      <= start_y;
            corner <= start_corner;
        end else if (next) begin
            x      <= carry_x ? moved_x - out_width : moved_x;
            y      <= carry_y ? moved_y - out_height : moved_y;
            corner <= corner + advance + (carry_x ? wrap_x : '0) + (carry_y ? wrap_y : '0);
        end
    end
endmodule
