//! Is a network written whole, in the format that was asked for, or not at all?

use std::path::Path;

use esnsim::{
    CompressOptions, CompressRequest, Error, OpenOptions, PruneOptions, QuantizeRequest, WriteFormat, compress, open,
    provenance, pruning, write, write_format,
};

#[test]
fn the_name_decides_the_format() {
    let network = open(None, &OpenOptions::default()).expect("embedded").network;
    let format = |name: &str| write_format(Path::new(name), &network);
    assert_eq!(format("a.npz").expect("weights alone"), WriteFormat::Npz);
    assert_eq!(format("a.SafeTensors").expect("weights alone"), WriteFormat::Safetensors);
    assert_eq!(format("a").expect("the default"), WriteFormat::Onnx);
    assert!(matches!(format("a.pth"), Err(Error::ReadOnly { extension, .. }) if extension == "pth"));
}

#[test]
fn strict_writing_loses_nothing_or_writes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = open(None, &OpenOptions::default()).expect("embedded").network;
    let path = folder.path().join("weights.npz");
    let strict = write(&network, &path, WriteFormat::Npz, &provenance(), true);
    assert!(matches!(strict, Err(Error::Lossy { .. })), "an archive of arrays holds no graph");
    assert!(!path.exists());
    let losses = write(&network, &path, WriteFormat::Npz, &provenance(), false).expect("writable");
    assert!(!losses.is_empty() && path.exists());
}

#[test]
fn what_is_compressed_reads_back_as_it_was_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let original = open(None, &OpenOptions::default()).expect("embedded").network;
    let prune = PruneOptions { prunings: vec![pruning("2:4").expect("a pattern")], ..PruneOptions::default() };
    let quantize = QuantizeRequest { bits: esnsim::BitWidth::new(3).ok(), ..QuantizeRequest::default() };
    let quantize = quantize.options().expect("a width is given");
    let options = CompressOptions { prune: Some(prune), quantize, ..CompressOptions::default() };
    let compressed = compress(&original, options).expect("it can be compressed");
    let (path, json) = (folder.path().join("small.onnx"), folder.path().join("small.json"));
    write(&compressed.network, &path, WriteFormat::Onnx, &compressed.provenance(), true).expect("writable");
    let costs = CompressRequest::default().costs(&original, &compressed).expect("both can be costed");
    // Half of the weights but for the first layer, whose one channel has no neighbour.
    assert_eq!(costs.after.esn.nonzero, (costs.before.esn.weights - 144) / 2 + 144);
    compressed.write_json(&json, &costs).expect("writable");

    let back = open(Some(&path), &OpenOptions::default()).expect("what was written is read").network;
    for id in (0..back.layers().len()).map(network::LayerId) {
        assert_eq!(back.weights(id).expect("readable"), compressed.network.weights(id).expect("readable"));
    }
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).expect("readable")).expect("JSON");
    assert!(report["prune"].is_array() && report["reestimate"].is_null());
    assert!(matches!(compress(&original, CompressOptions::default()), Err(Error::NothingToDo)));
}
