//! Small weight files of every format.

use std::io::{Cursor, Write};

use formats::weight_writer::{WeightFormat, WeightList};
use network::Network;
use network::architectures::{Architecture, Family, Shortcut, build};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{npy, waves};

/// One convolution, integers with their scale, a fully connected layer, and what belongs to no layer.
const HEADER: &str = r#"{"__metadata__":{"format":"pt"},
"conv.weight":{"dtype":"F32","shape":[2,1,1,3],"data_offsets":[0,24]},
"conv.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},
"fc.weight":{"dtype":"I8","shape":[2,4],"data_offsets":[32,40]},
"fc.weight_scale":{"dtype":"F32","shape":[2],"data_offsets":[40,48]},
"half.weight":{"dtype":"BF16","shape":[3,2],"data_offsets":[48,60]}}"#;

/// safetensors: as a program writes it, and a network of an architecture.
pub(super) fn safetensors() -> Vec<Vec<u8>> {
    vec![framed(HEADER, 60), written(WeightFormat::Safetensors)]
}

/// Arrays of numpy as weights: one, several, and a network of an architecture.
pub(super) fn arrays() -> Vec<Vec<u8>> {
    let conv = npy("<f4", "(2, 1, 1, 3)", 24);
    let (integers, scale) = (npy("|i1", "(2, 4)", 8), npy("<f4", "(2,)", 8));
    let entries = [("conv.weight.npy", &conv), ("fc.weight.npy", &integers), ("fc.weight_scale.npy", &scale)];
    let archive = |method| {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(name, options).expect("memory is writable");
            writer.write_all(bytes).expect("memory is writable");
        }
        writer.finish().expect("memory is writable").into_inner()
    };
    let archives = [CompressionMethod::Stored, CompressionMethod::Deflated].map(archive);
    [conv.clone()].into_iter().chain(archives).chain([written(WeightFormat::Npz)]).collect()
}

/// Two safetensors files that an index leads to.
pub(in crate::fuzz) fn shards() -> [(&'static str, Vec<u8>); 2] {
    let second = r#"{"c":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}}"#;
    [("a.safetensors", framed(HEADER, 60)), ("b.safetensors", framed(second, 12))]
}

/// Indices of [`shards`].
pub(super) fn indices() -> Vec<Vec<u8>> {
    let map = r#""conv.weight":"a.safetensors","fc.weight":"a.safetensors","fc.weight_scale":"a.safetensors","c":"b.safetensors""#;
    vec![format!(r#"{{"metadata":{{"total_size":72}},"weight_map":{{{map}}}}}"#).into_bytes()]
}

/// Geometry of the layers of the first of [`shards`], in both layouts.
pub(super) fn topologies() -> Vec<Vec<u8>> {
    let layers = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n\
        conv, 4, 6, 1, 3, 1, 2, 1,\nfc, 1, 1, 1, 1, 4, 2, 1,\nhalf, 1, 1, 1, 1, 2, 3, 1,\n";
    let products = "Layer, M, N, K,\nconv, 7, 2, 3,\nfc, 1, 2, 4,\nhalf, 1, 3, 2,\n";
    [layers, products].map(|text| text.as_bytes().to_vec()).to_vec()
}

/// PyTorch checkpoints of both formats; one with integers, their scales, and a tensor whose axes are in another order.
pub(super) fn checkpoints() -> Vec<Vec<u8>> {
    let plain = Checkpoint { under: None, tensors: vec![CONV, VECTOR] };
    let nested = Checkpoint { under: Some("state_dict"), tensors: vec![CONV, TURNED, VECTOR, PER_TENSOR, PER_FILTER] };
    let mut found = vec![plain.zip(), plain.legacy(), nested.zip(), nested.legacy()];
    found.push(module());
    found
}

fn framed(header: &str, data: usize) -> Vec<u8> {
    let data = (0..data).map(|i| if i % 4 == 3 { 0x3f } else { (i * 29) as u8 });
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat().into_iter().chain(data).collect()
}

fn small_resnet() -> Network {
    let family = Family::CifarResNet { depth: 8, shortcut: Shortcut::A };
    build(&Architecture { width: 0.0625, input_size: 8, classes: 2, ..Architecture::new(family) }).expect("it is valid")
}

fn written(format: WeightFormat) -> Vec<u8> {
    let (network, mut bytes) = (small_resnet(), Vec::new());
    let list = WeightList::new(&network, format, &[]).expect("weights are finite");
    list.write(format, &mut bytes).expect("memory is writable");
    bytes
}

/// A tensor of a checkpoint, whose pickle makes it by this function.
#[derive(Clone, Copy)]
struct Stored {
    name: &'static str,
    storage: &'static str,
    element_size: usize,
    shape: &'static [u8],
    strides: &'static [u8],
    /// What follows the strides in a quantized tensor.
    quantizer: Option<&'static [u8]>,
}

const CONV: Stored = Stored {
    name: "module.conv1.weight",
    storage: "FloatStorage",
    element_size: 4,
    shape: &[2, 1, 1, 3],
    strides: &[3, 3, 3, 1],
    quantizer: None,
};
const TURNED: Stored = Stored { name: "module.turned.weight", shape: &[2, 3], strides: &[1, 2], ..CONV };
const VECTOR: Stored =
    Stored { name: "module.bias", storage: "HalfStorage", element_size: 2, shape: &[3], strides: &[1], ..CONV };
const PER_TENSOR: Stored = Stored {
    name: "module.q.weight",
    storage: "QInt8Storage",
    element_size: 1,
    shape: &[2, 2],
    strides: &[2, 1],
    quantizer: Some(b"(ctorch\nper_tensor_affine\nG\x3f\xc0\x00\x00\x00\x00\x00\x00K\x00t"),
};
/// Its scales and zero points are tensors of one number in the storages of others.
const PER_FILTER: Stored = Stored {
    name: "module.p.weight",
    quantizer: Some(
        b"(ctorch\nper_channel_affine\nctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x06tQ\
          K\x03K\x01\x85K\x01\x85tRctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nCharStorage\nU\x013U\x03cpuK\x04tQK\x00K\x01\x85K\x01\x85\
          tRK\x00t",
    ),
    ..PER_TENSOR
};

impl Stored {
    fn elements(&self) -> Vec<u8> {
        let count = self.shape.iter().map(|&n| usize::from(n)).product::<usize>();
        let bytes: Vec<u8> = waves(count).iter().flat_map(|v| v.to_le_bytes()).collect();
        bytes[..count * self.element_size].to_vec()
    }

    /// The call that makes it of the storage of this key.
    fn pickle(&self, key: usize) -> Vec<u8> {
        let function = if self.quantizer.is_some() { "_rebuild_qtensor" } else { "_rebuild_tensor_v2" };
        let count = self.elements().len() / self.element_size;
        let mut out = format!("ctorch._utils\n{function}\n((U\x07storagectorch\n{}\nU\x01{key}U\x03cpuK", self.storage);
        out.extend([count as u8 as char, 't', 'Q', 'K', '\0']);
        let mut out = out.into_bytes();
        for numbers in [self.shape, self.strides] {
            out.push(b'(');
            numbers.iter().for_each(|&n| out.extend([b'K', n]));
            out.push(b't');
        }
        out.extend(self.quantizer.unwrap_or_default());
        out.extend(b"\x89)tR");
        out
    }
}

struct Checkpoint {
    /// The key that the tensors stand under.
    under: Option<&'static str>,
    tensors: Vec<Stored>,
}

impl Checkpoint {
    fn pickle(&self) -> Vec<u8> {
        let mut out = b"\x80\x02".to_vec();
        if let Some(key) = self.under {
            out.push(b'}');
            text(&mut out, key);
        }
        out.extend(b"ccollections\nOrderedDict\n)Rq\x00(");
        for (key, tensor) in self.tensors.iter().enumerate() {
            text(&mut out, tensor.name);
            out.extend(tensor.pickle(key));
        }
        out.extend(if self.under.is_some() { &b"us."[..] } else { b"u." });
        out
    }

    /// The format of PyTorch 1.6 and later.
    fn zip(&self) -> Vec<u8> {
        let elements =
            self.tensors.iter().enumerate().map(|(key, tensor)| (format!("a/data/{key}"), tensor.elements()));
        let entries = [("a/data.pkl".to_string(), self.pickle()), ("a/byteorder".to_string(), b"little".to_vec())];
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries.into_iter().chain(elements) {
            writer.start_file(name, options).expect("memory is writable");
            writer.write_all(&bytes).expect("memory is writable");
        }
        writer.finish().expect("memory is writable").into_inner()
    }

    /// The format before it.
    fn legacy(&self) -> Vec<u8> {
        let mut out = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
        out.extend(b"\x80\x02}U\x0dlittle_endian\x88s.");
        out.extend(self.pickle());
        out.extend(b"\x80\x02](");
        (0..self.tensors.len()).for_each(|key| text(&mut out, &key.to_string()));
        out.extend(b"e.");
        for tensor in &self.tensors {
            let elements = tensor.elements();
            out.extend(((elements.len() / tensor.element_size) as u64).to_le_bytes());
            out.extend(elements);
        }
        out
    }
}

/// A whole module, as `torch.save(model)` writes it: its tensors stand in the state of objects.
fn module() -> Vec<u8> {
    let mut pickle = b"\x80\x02cmodels\nNet\n)\x81}(U\x0b_parameters}U\x08_modules}U\x04convctorch.nn\nConv2d\n)\x81}U\x0b_parameters}U\x06weight".to_vec();
    pickle.extend(CONV.pickle(0));
    pickle.extend(b"ssbsub.");
    let tensors = vec![CONV];
    let legacy = Checkpoint { under: None, tensors };
    let plain = legacy.legacy();
    let old = legacy.pickle();
    let at = plain.windows(old.len()).position(|window| window == old).expect("it holds its pickle");
    [&plain[..at], &pickle, &plain[at + old.len()..]].concat()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
}
