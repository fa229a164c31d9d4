// Runs the layers of a list on the array and prints what every row and element does in every cycle.
//
// The memories around the array stand here. They answer in the cycle that asks. A line of the list (+list=FILE) is
//   PREFIX mid_tread by_filter positions out_width out_height step_x step_y advance wrap_x wrap_y weights filters inputs
// with the number of words of PREFIX.weights, .filters and .inputs last; PREFIX.rows has a word a row, PREFIX.elements
// one an element of a row. On standard output, numbers in decimal:
//   r ROW ENTRY PLANE FILTER POSITION SUM ...   a row at work in this cycle; the partial sums that its planes add to
//   .                                           end of the cycle
//   o FILTER POSITION SUM ...                   finished sums
//   = CYCLES BUSY TAIL EARLY                    end of the layer: the counters of the array
//   end                                         of the list
module testbench #(
    parameter int ROWS    = 2,
    parameter int PES     = 2,
    parameter int WEIGHTS = 1024,      // words of the largest layer
    parameter int FILTERS = 1024,
    parameter int INPUTS  = 1024
);
    localparam int CODE_W = 18, ACT_W = 18, ACC_W = 64, ADDR_W = 32, PLANE_W = 5, COUNT_W = 64;

    logic [CODE_W+ADDR_W:0]    weights  [WEIGHTS];    // code, offset, last of its filter
    logic [ADDR_W+PLANE_W-1:0] filters  [FILTERS];    // filter, width
    logic [ACT_W-1:0]          inputs   [INPUTS];
    logic [3*ADDR_W-1:0]       rows     [ROWS];       // first weight, first filter, filters
    logic [3*ADDR_W-1:0]       elements [PES];        // column, row and corner of the first position

    logic clk = 0, reset = 1, start = 0;
    logic mid_tread, by_filter;
    int   positions, out_width, out_height, step_x, step_y, advance, wrap_x, wrap_y;

    logic [ROWS-1:0][ADDR_W-1:0]         first_entry, first_filter, row_filters;
    logic [PES-1:0][ADDR_W-1:0]          start_x, start_y, start_corner;
    logic [ROWS-1:0][ADDR_W-1:0]         entry, offset, filter_entry, filter, position, done_filter, done_position;
    logic [ROWS-1:0][CODE_W-1:0]         code;
    logic [ROWS-1:0]                     last_weight, rows_working, done;
    logic [ROWS-1:0][PLANE_W-1:0]        filter_width, plane;
    logic [ROWS-1:0][PES-1:0][ADDR_W-1:0] address;
    logic [ROWS-1:0][PES-1:0][ACT_W-1:0] activation;
    logic [ROWS-1:0][PES-1:0]            busy, done_mask;
    logic [ROWS-1:0][PES-1:0][ACC_W-1:0] partial, sum;
    logic [COUNT_W-1:0]                  cycles, busy_pe_cycles, position_tail, row_finished_early;

    mac_array #(
        .ROWS(ROWS), .PES(PES), .CODE_W(CODE_W), .ACT_W(ACT_W), .ACC_W(ACC_W), .ADDR_W(ADDR_W), .PLANE_W(PLANE_W),
        .COUNT_W(COUNT_W)
    ) array (
        .clk, .reset, .start, .mid_tread, .by_filter,
        .positions, .first_entry, .first_filter, .filters(row_filters), .start_x, .start_y, .start_corner,
        .out_width, .out_height, .step_x, .step_y, .advance, .wrap_x, .wrap_y,
        .entry, .code, .offset, .last_weight, .filter_entry, .filter, .filter_width, .address, .activation,
        .rows_working, .plane, .position, .busy, .partial,
        .done, .done_filter, .done_position, .done_mask, .sum,
        .cycles, .busy_pe_cycles, .position_tail, .row_finished_early
    );

    for (genvar r = 0; r < ROWS; r++) begin : row_ports
        assign {code[r], offset[r], last_weight[r]}                 = weights[entry[r]];
        assign {filter[r], filter_width[r]}                         = filters[filter_entry[r]];
        assign {first_entry[r], first_filter[r], row_filters[r]}    = rows[r];
        for (genvar p = 0; p < PES; p++) begin : element_ports
            assign activation[r][p] = inputs[address[r][p]];
        end
    end
    for (genvar p = 0; p < PES; p++) begin : element_starts
        assign {start_x[p], start_y[p], start_corner[p]} = elements[p];
    end

    // The same with one index, as procedures take it.
    logic [ROWS*PES-1:0]       flat_busy, flat_done;
    logic [ROWS*PES*ACC_W-1:0] flat_partial, flat_sum;
    assign flat_busy    = busy;
    assign flat_done    = done_mask;
    assign flat_partial = partial;
    assign flat_sum     = sum;

    task automatic clock;
        #1 clk = 1;
        #1 clk = 0;
    endtask

    task automatic print_finished;
        for (int r = 0; r < ROWS; r++) if (done[r]) begin
            $write("o %0d %0d", done_filter[r], done_position[r]);
            for (int i = r * PES; i < (r + 1) * PES; i++)
                if (flat_done[i]) $write(" %0d", $signed(flat_sum[i*ACC_W +: ACC_W]));
            $write("\n");
        end
    endtask

    task automatic print_cycle;
        for (int r = 0; r < ROWS; r++) if (rows_working[r]) begin
            $write("r %0d %0d %0d %0d %0d", r, entry[r], plane[r], filter[r], position[r]);
            for (int i = r * PES; i < (r + 1) * PES; i++)
                if (flat_busy[i]) $write(" %0d", $signed(flat_partial[i*ACC_W +: ACC_W]));
            $write("\n");
        end
        $write(".\n");
    endtask

    task automatic load(input string prefix, input int weight_words, input int filter_words, input int input_words);
        if (weight_words > 0) $readmemh({prefix, ".weights"}, weights, 0, weight_words - 1);
        if (filter_words > 0) $readmemh({prefix, ".filters"}, filters, 0, filter_words - 1);
        $readmemh({prefix, ".inputs"}, inputs, 0, input_words - 1);
        $readmemh({prefix, ".rows"}, rows, 0, ROWS - 1);
        $readmemh({prefix, ".elements"}, elements, 0, PES - 1);
    endtask

    string path, prefix;
    int    list, fields, weight_words, filter_words, input_words;

    initial begin
        if (!$value$plusargs("list=%s", path)) $fatal(1, "+list=FILE is missing");
        list = $fopen(path, "r");
        if (list == 0) $fatal(1, "cannot open the list");
        clock();
        reset = 0;
        fields = next_layer();
        while (fields == 14) begin
            load(prefix, weight_words, filter_words, input_words);
            start = 1;
            clock();
            start = 0;
            while (rows_working != '0) begin
                print_cycle();
                clock();
                print_finished();
            end
            $write("= %0d %0d %0d %0d\n", cycles, busy_pe_cycles, position_tail, row_finished_early);
            fields = next_layer();
        end
        $write("end\n");
        $finish(0);
    end

    function automatic int next_layer();
        return $fscanf(list, "%s %d %d %d %d %d %d %d %d %d %d %d %d %d", prefix, mid_tread, by_filter, positions,
            out_width, out_height, step_x, step_y, advance, wrap_x, wrap_y, weight_words, filter_words, input_words);
    endfunction
endmodule
