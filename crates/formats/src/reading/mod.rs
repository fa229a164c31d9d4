//! What readers share while they build a network: what can be wrong ([`fault`]), what a user is told of it
//! ([`findings`]), and the grid that a file states ([`grid`]).

pub(crate) mod fault;
pub(crate) mod findings;
pub(crate) mod grid;
