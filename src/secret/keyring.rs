//! The current value of every secret that the configuration names.
