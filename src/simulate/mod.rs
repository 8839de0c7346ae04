//! The embedded simulated providers.

mod behaviour;

pub use behaviour::{Behaviour, Fault, FaultClass, SimulatedProvider};
