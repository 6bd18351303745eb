//! Every published event type, with its schema and a sample: what `make generate` writes and the
//! tests hold against the committed files.
