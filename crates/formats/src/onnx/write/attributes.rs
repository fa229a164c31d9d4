//! Attributes of nodes that are written.

use bytes::Bytes;

use crate::onnx::proto::{AttributeProto, AttributeType, TensorProto};

/// An integer.
pub(in crate::onnx) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, AttributeType::Int) }
}

/// A number that counts something; graphs hold no count beyond 63 bits.
pub(in crate::onnx) fn count(name: &str, n: usize) -> AttributeProto {
    int(name, n as i64)
}

/// Yes or no.
pub(in crate::onnx) fn flag(name: &str, yes: bool) -> AttributeProto {
    int(name, i64::from(yes))
}

/// Numbers that count something.
pub(in crate::onnx) fn counts(name: &str, list: &[usize]) -> AttributeProto {
    let ints = list.iter().map(|&n| n as i64).collect();
    AttributeProto { ints, ..attribute(name, AttributeType::Ints) }
}

/// Integers.
pub(in crate::onnx) fn int_list(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name, AttributeType::Ints) }
}

/// A tensor.
pub(in crate::onnx) fn tensor(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(t), ..attribute(name, AttributeType::Tensor) }
}

/// A real number.
pub(in crate::onnx) fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name, AttributeType::Float) }
}

/// A word.
pub(in crate::onnx) fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { s: Bytes::copy_from_slice(s.as_bytes()), ..attribute(name, AttributeType::String) }
}

/// Words.
pub(in crate::onnx) fn texts(name: &str, list: &[&str]) -> AttributeProto {
    let strings = list.iter().map(|s| Bytes::copy_from_slice(s.as_bytes())).collect();
    AttributeProto { strings, ..attribute(name, AttributeType::Strings) }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_string(), r#type: kind as i32, ..AttributeProto::default() }
}
