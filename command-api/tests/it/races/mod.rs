//! What must hold whoever overtakes whom: many commands at once, from two processes, and then the
//! log read by position. What was right is told by a fold of the tests' own, which shares no code
//! with the deciders: not their states, not their permissions.

mod crowd;
mod histories;
mod log;
mod permissions;
mod revocation;
mod rules;
mod world;
