//! What readers share while they build a network. No reader knows another one; what two of them need stands here:
//!
//! - [`archive`]: zip archives;
//! - [`fault`]: what can be wrong with a file, and which of it ends the reading;
//! - [`findings`]: what a user is told of operators that are not run or not costed;
//! - [`finish`]: the end of every reading;
//! - [`few`]: floating-point numbers of 4 and 8 bits;
//! - [`grid`]: the grid that the integers of a file lie on;
//! - [`integers`]: integers in the smallest type that takes them;
//! - [`shape`]: counting elements, broadcasting, the share of one image;
//! - [`strides`]: tensors that are views of a storage;
//! - [`tied`]: layers of weight files that have the weights of others;
//! - [`unread`]: what no output of the network depends on is left out;
//! - [`windows`]: how far a window reaches and at how many positions it stands.

pub(crate) mod archive;
pub(crate) mod fault;
pub(crate) mod few;
pub(crate) mod findings;
pub(crate) mod finish;
pub(crate) mod grid;
pub(crate) mod integers;
pub(crate) mod shape;
pub(crate) mod strides;
pub(crate) mod tied;
pub(crate) mod unread;
pub(crate) mod windows;
