// One bit plane of a weight: its digit, and how many planes the weight needs at least.
//
// A weight is code = 2 * W_int, odd on the mid-rise grid and even on mid-tread; 0 is pruned.
//   mid-rise   every digit is +1 or -1. Of n planes, digit b is bit b of floor(W_int) in two's complement, 1 for +1 and
//              0 for -1, with bit n - 1 inverted.
//   mid-tread  the two's-complement planes of -|W_int|, one power of two higher, negated where the code is positive.
//   pruned     no digit: the element is gated off.
module plane_encoder #(
    parameter int CODE_W  = 18,
    parameter int PLANE_W = 5
) (
    input  logic                     mid_tread,
    input  logic signed [CODE_W-1:0] code,
    input  logic [PLANE_W-1:0]       width,      // planes that the weight is given
    input  logic [PLANE_W-1:0]       plane,      // the one that is asked for, below width
    output logic [PLANE_W-1:0]       least,      // planes that reach the code, 0 where it is pruned
    output logic                     plus,
    output logic                     minus,
    output logic [PLANE_W-1:0]       exponent    // power of two of the plane, in units of the code
);
    localparam logic [PLANE_W-1:0] ONE = 1;

    // Length of a binary number.
    function automatic logic [PLANE_W-1:0] bit_length(input logic [CODE_W-1:0] value);
        bit_length = '0;
        for (int b = 0; b < CODE_W; b++) if (value[b]) bit_length = PLANE_W'(b + 1);
    endfunction

    logic                     negative, pruned, top, bit_b;
    logic [CODE_W-1:0]        magnitude, reach, complement;

    assign negative   = code[CODE_W-1];
    assign pruned     = code == '0;
    assign magnitude  = negative ? -code : code;
    assign top        = plane + ONE == width;

    // n planes reach |code| <= 2^n - 1 on mid-rise, |W_int| <= 2^(n - 1) on mid-tread.
    assign reach      = mid_tread ? (magnitude >> 1) - 1'b1 : magnitude;
    assign least      = pruned ? '0 : bit_length(reach) + PLANE_W'(mid_tread);

    assign complement = mid_tread ? -(magnitude >> 1) : code >>> 1;
    assign bit_b      = complement[plane];
    assign plus       = !pruned && (mid_tread ? bit_b && (top ^ negative) : bit_b ^ top);
    assign minus      = !pruned && (mid_tread ? bit_b && !(top ^ negative) : !(bit_b ^ top));
    assign exponent   = plane + PLANE_W'(mid_tread);
endmodule
