//! The suites, one question each, in one binary.

mod accuracy;
mod beyond;
mod closed_form;
mod convert;
mod determinism;
mod docs;
mod fuzz;
mod golden;
mod hostile;
mod integer;
mod landscape;
mod large_files;
mod mutations;
mod outputs;
mod reference;
mod robustness;
mod roundtrip;
mod rtl;
mod smoke;
mod spice;
mod stepped;
mod sweep;
mod tflite;
mod topology;
mod trace;
mod usage;
