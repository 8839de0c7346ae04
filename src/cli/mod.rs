//! The commands, one file each. A command writes to the writer it is given.

pub mod keys;
pub mod schema;
pub mod validate;
