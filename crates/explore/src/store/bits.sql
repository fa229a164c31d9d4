-- Came later than the other tables of layout 2: a store has it once a program that knows it has opened it for writing.

-- Bits that points hold, multiply and move. A point that was run before they were counted has no row.
CREATE TABLE IF NOT EXISTS point_bits (
    key BLOB PRIMARY KEY NOT NULL,
    model_bits ANY NOT NULL,
    bit_operations ANY NOT NULL,
    effective_bit_operations ANY NOT NULL,
    weight_bits ANY NOT NULL,           -- fetched
    activation_bits ANY NOT NULL,
    outputs ANY NOT NULL,
    spent TEXT NOT NULL                 -- JSON list: joules of computing, conversion and memory, three numbers for each hardware
) STRICT, WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS bits AS SELECT
    lower(hex(key)) AS key, model_bits, bit_operations, effective_bit_operations, weight_bits, activation_bits, outputs, spent
FROM point_bits;
