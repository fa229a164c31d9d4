//! Writes PyTorch checkpoints of both formats, as `torch.save` does.

use std::io::Write;

/// Types of elements, by the class of their storage.
#[derive(Clone, Copy)]
pub enum Element {
    F32,
    Bf16,
}

impl Element {
    fn storage(self) -> &'static str {
        match self {
            Element::F32 => "FloatStorage",
            Element::Bf16 => "BFloat16Storage",
        }
    }

    fn size(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::Bf16 => 2,
        }
    }
}

struct Entry {
    name: String,
    shape: Vec<usize>,
    strides: Vec<usize>,
    element: Element,
    bytes: Vec<u8>,
    /// The entry whose storage it is a view of, where that is not its own.
    tied: Option<usize>,
}

/// Tensors to be saved, in order.
#[derive(Default)]
pub struct Checkpoint {
    entries: Vec<Entry>,
    /// The key that the state stands under.
    pub under: Option<&'static str>,
    /// Whether it is written as by Python 2 and PyTorch 0.4: dictionaries as lists of pairs, parameters by their class.
    pub is_old: bool,
    /// Entries whose tensors are packed in objects that only PyTorch knows.
    pub packed: Vec<usize>,
}

impl Checkpoint {
    /// A row-major tensor.
    pub fn add(&mut self, name: &str, shape: &[usize], element: Element, bytes: &[u8]) {
        let mut strides = vec![1usize; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        self.add_strided(name, shape, &strides, element, bytes);
    }

    /// A tensor with these strides.
    pub fn add_strided(&mut self, name: &str, shape: &[usize], strides: &[usize], element: Element, bytes: &[u8]) {
        let (name, bytes) = (name.to_string(), bytes.to_vec());
        self.entries.push(Entry { name, shape: shape.to_vec(), strides: strides.to_vec(), element, bytes, tied: None });
    }

    /// A tensor that is entry `of` under another name.
    pub fn add_tied(&mut self, name: &str, of: usize) {
        let Entry { shape, strides, element, bytes, .. } = &self.entries[of];
        let (name, bytes) = (name.to_string(), bytes.clone());
        let entry =
            Entry { name, shape: shape.clone(), strides: strides.clone(), element: *element, bytes, tied: Some(of) };
        self.entries.push(entry);
    }

    /// Entries with a storage of their own, by its key.
    fn storages(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().filter(|(_, entry)| entry.tied.is_none())
    }

    /// The format of PyTorch 1.6 and later.
    pub fn zip(&self) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        let mut entry = |name: &str, bytes: &[u8]| {
            writer.start_file(format!("archive/{name}"), options).expect("writable");
            writer.write_all(bytes).expect("writable");
        };
        entry("data.pkl", &self.pickle());
        entry("byteorder", b"little");
        for (key, tensor) in self.storages() {
            entry(&format!("data/{key}"), &tensor.bytes);
        }
        writer.finish().expect("writable").into_inner()
    }

    /// The format before it.
    pub fn legacy(&self) -> Vec<u8> {
        let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
        bytes.extend(b"\x80\x02}q\x00X\x0d\x00\x00\x00little_endianq\x01\x88s.");
        bytes.extend(self.pickle());
        bytes.extend(b"\x80\x02](");
        self.storages().for_each(|(key, _)| text(&mut bytes, &key.to_string()));
        bytes.extend(b"e.");
        for (_, tensor) in self.storages() {
            bytes.extend(((tensor.bytes.len() / tensor.element.size()) as u64).to_le_bytes());
            bytes.extend(&tensor.bytes);
        }
        bytes
    }

    /// `OrderedDict((name, tensor), …)`.
    fn pickle(&self) -> Vec<u8> {
        let mut out = b"\x80\x02".to_vec();
        if let Some(key) = self.under {
            out.push(b'}');
            text(&mut out, key);
        }
        let (begin, before, after, end): (&[u8], &[u8], &[u8], &[u8]) = match self.is_old {
            true => (b"ccollections\nOrderedDict\n](", b"](", b"e", b"e\x85R"),
            false => (b"ccollections\nOrderedDict\n)R(", b"", b"", b"u"),
        };
        out.extend(begin);
        for (key, tensor) in self.entries.iter().enumerate() {
            out.extend(before);
            text(&mut out, &tensor.name);
            let object: &[u8] = match (self.packed.contains(&key), self.is_old) {
                (true, _) => b"ctorch\nScriptObject\n",
                (false, true) => b"ctorch.nn.parameter\nParameter\n",
                (false, false) => b"",
            };
            out.extend(object);
            out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            text(&mut out, "storage");
            out.extend(format!("ctorch\n{}\n", tensor.element.storage()).bytes());
            text(&mut out, &tensor.tied.unwrap_or(key).to_string());
            text(&mut out, "cpu");
            integer(&mut out, tensor.bytes.len() / tensor.element.size());
            out.extend(b"tQ");
            integer(&mut out, 0);
            for numbers in [&tensor.shape, &tensor.strides] {
                out.push(b'(');
                numbers.iter().for_each(|&n| integer(&mut out, n));
                out.push(b't');
            }
            out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
            if !object.is_empty() {
                out.extend(b"\x85R");
            }
            out.extend(after);
        }
        out.extend(end);
        if self.under.is_some() {
            out.push(b's');
        }
        out.push(b'.');
        out
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
}

fn integer(out: &mut Vec<u8>, n: usize) {
    out.extend([0x8a, 8]);
    out.extend((n as i64).to_le_bytes());
}
