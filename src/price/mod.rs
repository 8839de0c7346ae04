//! Amounts of money: whole numbers of a millionth of a millionth, never floats. Pure.

mod money;

pub use money::Money;
