-- Integers that may pass 2^63 are decimal text; ESN_a is a multiple of 0.25.
CREATE TABLE points (
    key TEXT PRIMARY KEY NOT NULL,      -- hash of configuration, network and images
    status TEXT NOT NULL,               -- done or failed
    error TEXT,                         -- why it failed
    version TEXT NOT NULL,              -- program
    network TEXT NOT NULL,              -- name in the plan
    configuration TEXT NOT NULL,        -- JSON, every value resolved
    notes TEXT NOT NULL,                -- JSON, what pruning and quantization had to say
    weights TEXT,
    nonzero TEXT,
    filters TEXT,
    live_filters TEXT,
    macs TEXT,
    weights_alive TEXT,                 -- of filters and input channels that are not pruned
    macs_alive TEXT,
    esn_a TEXT,
    esn_d TEXT,
    esn_a_macs TEXT,
    esn_d_macs TEXT,
    esn_d_filter TEXT,
    max_bits INTEGER,
    filter_bits TEXT,                   -- JSON, filters by the bits of their widest weight, 0 (pruned) to 17
    weight_bits TEXT,                   -- JSON, weights by their bits
    images INTEGER,
    labelled INTEGER,
    top1 INTEGER,                       -- of the engines on integers
    top5 INTEGER,
    agreement INTEGER,                  -- images on which they and the float network before compression agree
    float_top1 INTEGER,
    float_top5 INTEGER,
    effective_macs TEXT                 -- of weights that are not pruned; added later, so that old stores lack it
) WITHOUT ROWID;

CREATE TABLE hardware (
    key TEXT NOT NULL REFERENCES points (key),
    position INTEGER NOT NULL,          -- in the plan
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    verdict TEXT NOT NULL,              -- of the comparison with the metric
    cycles TEXT NOT NULL,
    energy_count TEXT NOT NULL,
    energy_j REAL NOT NULL,
    utilization REAL NOT NULL,
    top1 INTEGER,                       -- where this hardware ran the images
    top5 INTEGER,
    agreement INTEGER,
    PRIMARY KEY (key, position)
) WITHOUT ROWID;

CREATE TABLE plans (
    digest TEXT PRIMARY KEY NOT NULL,
    plan TEXT NOT NULL                  -- JSON, every value resolved
) WITHOUT ROWID;
