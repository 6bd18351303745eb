//! What every request goes through, seen from outside.

mod conventions;
mod rate;
mod serving;
mod sign_in;
