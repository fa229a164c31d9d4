//! A stream of one batch in the form that the Arrow C stream interface prescribes.
//!
//! Schema and array have their C form from `arrow-schema` and `arrow-data`. The stream is written here, because the crate that has
//! it, `arrow-array`, brings two dozen others along.

#![allow(unsafe_code, reason = "the interface is one of C: pointers, and functions that are called through pointers")]

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use arrow_data::ArrayData;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Schema};

/// `EINVAL`: the schema has no C form.
const INVALID: c_int = 22;

/// `struct ArrowArrayStream`. A consumer moves it by a copy of its bytes, and marks the original as released by `release` of
/// nothing.
#[repr(C)]
pub(crate) struct Stream {
    get_schema: Option<unsafe extern "C" fn(*mut Stream, *mut FFI_ArrowSchema) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut Stream, *mut FFI_ArrowArray) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut Stream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut Stream)>,
    private_data: *mut c_void,
}

/// What `private_data` points to.
struct Held {
    schema: Schema,
    /// None once it was handed out.
    batch: Option<ArrayData>,
}

// SAFETY: `private_data` is a box of `Held`, which is `Send`, and nothing else points to it.
unsafe impl Send for Stream {}

impl Stream {
    /// A stream of one batch of this schema.
    ///
    /// # Errors
    ///
    /// A schema that has no C form, as one with a name that holds a zero.
    pub fn new(schema: Schema, batch: ArrayData) -> Result<Self, ArrowError> {
        FFI_ArrowSchema::try_from(&schema)?;
        let held = Box::new(Held { schema, batch: Some(batch) });
        Ok(Self {
            get_schema: Some(get_schema),
            get_next: Some(get_next),
            get_last_error: Some(get_last_error),
            release: Some(release),
            private_data: Box::into_raw(held).cast(),
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the stream is not released yet, and nobody else has it.
            unsafe { release(self) };
        }
    }
}

/// Writes the schema to `out`, which the caller releases.
///
/// # Safety
///
/// `stream` is a stream of this module that is not released, and `out` a place for a schema whose contents are worth nothing.
unsafe extern "C" fn get_schema(stream: *mut Stream, out: *mut FFI_ArrowSchema) -> c_int {
    // SAFETY: `private_data` of a stream that is not released is the box of `new`, and one caller at a time has the stream.
    let held = unsafe { &*(*stream).private_data.cast::<Held>() };
    match FFI_ArrowSchema::try_from(&held.schema) {
        Ok(schema) => {
            // SAFETY: `out` is a place for a schema, and nothing that it holds is to be dropped.
            unsafe { ptr::write(out, schema) };
            0
        }
        Err(_) => INVALID,
    }
}

/// Writes the next batch to `out`, which the caller releases; behind the last one an array that is released already.
///
/// # Safety
///
/// As [`get_schema`], with a place for an array.
unsafe extern "C" fn get_next(stream: *mut Stream, out: *mut FFI_ArrowArray) -> c_int {
    // SAFETY: as in `get_schema`.
    let held = unsafe { &mut *(*stream).private_data.cast::<Held>() };
    let array = held.batch.take().map_or_else(FFI_ArrowArray::empty, |batch| FFI_ArrowArray::new(&batch));
    // SAFETY: as in `get_schema`.
    unsafe { ptr::write(out, array) };
    0
}

/// No words of the last error: the number says it.
unsafe extern "C" fn get_last_error(_: *mut Stream) -> *const c_char {
    ptr::null()
}

/// Gives back what the stream holds.
///
/// # Safety
///
/// `stream` is a stream of this module that is not released.
unsafe extern "C" fn release(stream: *mut Stream) {
    // SAFETY: the box of `new` is dropped once: afterwards the stream is marked as released.
    unsafe {
        drop(Box::from_raw((*stream).private_data.cast::<Held>()));
        (*stream).private_data = ptr::null_mut();
        (*stream).release = None;
    }
}
