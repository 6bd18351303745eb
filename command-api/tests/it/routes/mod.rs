//! The routes, by noun.
