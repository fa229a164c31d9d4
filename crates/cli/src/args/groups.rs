//! The headings under which a help page shows options. Every option names one.

/// How the file of a network is read.
pub const NETWORK: &str = "Network";

/// How weights become integers, and how their bits are counted.
pub const QUANTIZATION: &str = "Quantization";

/// Which weights become 0.
pub const PRUNING: &str = "Pruning";

/// What the weights of a new network are drawn from, and its form.
pub const ARCHITECTURE: &str = "Architecture";

/// Which hardware there is, and what is done with it.
pub const HARDWARE: &str = "Hardware";

/// What of a machine is shown.
pub const TRACE: &str = "Trace";

/// Forms of the layer of a landscape.
pub const LAYER: &str = "Layer";

/// What a network runs on, or gets its statistics from.
pub const IMAGES: &str = "Images";

/// Which points of a plan run, and where they go.
pub const POINTS: &str = "Points";

/// What is shown on the axes of a frontier.
pub const FRONTIER: &str = "Frontier";

/// How numbers are held against hardware.
pub const PROXIES: &str = "Proxies";

/// Files that are written.
pub const OUTPUT: &str = "Output";

/// What has nothing to do with results.
pub const GENERAL: &str = "General";
