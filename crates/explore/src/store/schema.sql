-- Layout 3. Tables are in the order of keys, so that they are read side by side and merged from one end to the other.
-- A column of type ANY is an integer, or decimal text where the integer passes 2^63.

-- Every text that points have, once.
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    hash INTEGER NOT NULL,              -- first 8 bytes of the SHA-256 of the text
    text TEXT NOT NULL
) STRICT;
CREATE INDEX texts_by_hash ON texts (hash);

-- What a point is judged by. Columns without a comment are those of the view points.
CREATE TABLE point_figures (
    key BLOB PRIMARY KEY NOT NULL,      -- 16 bytes
    failed INTEGER NOT NULL,            -- 0: done
    method INTEGER NOT NULL,            -- 0: quantize only, 1: prune only, 2: prune, then quantize
    network INTEGER NOT NULL,           -- a text
    images INTEGER,
    labelled INTEGER,
    top1 INTEGER,
    top5 INTEGER,
    agreement INTEGER,
    float_top1 INTEGER,
    float_top5 INTEGER,
    weights ANY,                        -- NULL where a point has no costs
    nonzero ANY,
    filters ANY,
    live_filters ANY,
    macs ANY,
    weights_alive ANY,
    macs_alive ANY,
    effective_macs ANY,
    esn_a ANY,                          -- in quarters
    esn_d ANY,
    esn_a_macs ANY,                     -- in quarters
    esn_d_macs ANY,
    esn_d_filter ANY,
    max_bits INTEGER,
    model_bits ANY,                     -- NULL, as the next five, in a point of an older store
    bit_operations ANY,
    effective_bit_operations ANY,
    weight_bits_fetched ANY,
    activation_bits_moved ANY,
    outputs ANY
) STRICT, WITHOUT ROWID;

-- What else there is to know of a point.
CREATE TABLE point_details (
    key BLOB PRIMARY KEY NOT NULL,
    version INTEGER NOT NULL,           -- a text
    error INTEGER,                      -- a text
    notes TEXT NOT NULL,                -- JSON list of texts
    setting INTEGER NOT NULL,           -- a text: the configuration without what the next four columns have
    hardware TEXT NOT NULL,             -- JSON list of texts: the descriptions
    prune INTEGER,                      -- a text
    quantize INTEGER,                   -- a text, without layers
    layers TEXT NOT NULL,               -- JSON list of texts: how single layers are quantized
    filter_bits TEXT,                   -- JSON list, without the zeros at its end
    weight_bits TEXT                    -- as filter_bits
) STRICT, WITHOUT ROWID;

CREATE TABLE hardware_figures (
    key BLOB NOT NULL,
    position INTEGER NOT NULL,          -- in the plan
    name INTEGER NOT NULL,              -- a text
    metric INTEGER NOT NULL,            -- a text
    verdict INTEGER NOT NULL,           -- a text
    cycles ANY NOT NULL,
    energy_count ANY NOT NULL,
    energy_j REAL NOT NULL,
    utilization REAL NOT NULL,
    top1 INTEGER,
    top5 INTEGER,
    agreement INTEGER,
    compute_j REAL,                     -- NULL, as the next two, in a point of an older store
    conversion_j REAL,
    memory_j REAL,
    PRIMARY KEY (key, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
    digest TEXT PRIMARY KEY NOT NULL,
    plan TEXT NOT NULL                  -- JSON, every value resolved
) WITHOUT ROWID;

-- For people and other programs: texts in place of their numbers.
CREATE VIEW points AS SELECT
    lower(hex(f.key)) AS key,
    iif(f.failed, 'failed', 'done') AS status,
    (SELECT text FROM texts WHERE id = d.error) AS error,
    (SELECT text FROM texts WHERE id = d.version) AS version,
    (SELECT text FROM texts WHERE id = f.network) AS network,
    (SELECT json_set(
        s.text,
        '$.prune', json((SELECT text FROM texts WHERE id = d.prune)),
        '$.quantize', json((SELECT iif(
            d.layers = '[]', text,
            json_set(text, '$.layers', json((
                SELECT json_group_array(json(t.text)) FROM json_each(d.layers) e JOIN texts t ON t.id = e.value)))
        ) FROM texts WHERE id = d.quantize)),
        '$.hardware', json((
            SELECT json_group_array(json(t.text)) FROM json_each(d.hardware) e JOIN texts t ON t.id = e.value))
    ) FROM texts s WHERE s.id = d.setting) AS configuration,
    (SELECT json_group_array(t.text) FROM json_each(d.notes) e JOIN texts t ON t.id = e.value) AS notes,
    f.weights, f.nonzero, f.filters, f.live_filters, f.macs, f.weights_alive, f.macs_alive,
    f.esn_a / 4.0 AS esn_a, f.esn_d, f.esn_a_macs / 4.0 AS esn_a_macs, f.esn_d_macs, f.esn_d_filter, f.max_bits,
    d.filter_bits, d.weight_bits,
    f.images, f.labelled, f.top1, f.top5, f.agreement, f.float_top1, f.float_top5, f.effective_macs,
    f.model_bits, f.bit_operations, f.effective_bit_operations, f.weight_bits_fetched, f.activation_bits_moved, f.outputs
FROM point_figures f JOIN point_details d ON d.key = f.key;

CREATE VIEW hardware AS SELECT
    lower(hex(h.key)) AS key, h.position,
    (SELECT text FROM texts WHERE id = h.name) AS name,
    (SELECT text FROM texts WHERE id = h.metric) AS metric,
    (SELECT text FROM texts WHERE id = h.verdict) AS verdict,
    h.cycles, h.energy_count, h.energy_j, h.utilization, h.top1, h.top5, h.agreement,
    h.compute_j, h.conversion_j, h.memory_j
FROM hardware_figures h;
