//! Merkle trees, signed checkpoints and evidence bundles: made and verified without a database.
//!
//! Two levels, as in Certificate Transparency. Each organization has a tree (RFC 6962) with a leaf for
//! each of its events and each batch of its usage ([`EventLeaf`], [`UsageLeaf`]). Where its tree stands
//! is in turn a leaf ([`HeadLeaf`]) of the one tree of the whole log, whose root is signed as a
//! checkpoint ([`Checkpoint`], a C2SP signed note). So one signature covers every organization, and none
//! learns of another.
//!
//! Formats are public: RFC 6962, <https://c2sp.org/signed-note>, <https://c2sp.org/tlog-checkpoint>,
//! <https://c2sp.org/tlog-proof>, <https://c2sp.org/tlog-cosignature>. What leaves are made of is ours,
//! and written down in `docs/for-auditors.md`.

pub mod bundle;
mod checkpoint;
mod copy;
mod hash;
mod keys;
mod leaf;
mod note;
mod path;
mod tiles;
mod tlog_proof;
mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use copy::{COPY_HEADER, COPY_TRAILER, CopyError, CopyRows, RowPlace};
pub use hash::Hash;
pub use keys::{KeyError, SigningKey, VerifyingKey};
pub use leaf::{
    EventLeaf, HeadLeaf, LeafError, UsageLeaf, actor_of, organization_hash, records_root,
};
pub use note::{Note, NoteError, Signature};
pub use path::{PathError, verify_consistency, verify_inclusion};
pub use tiles::{TILE_HASHES, Tile, TilePlace, Tiles, TreeEdge, resolve, tiles_of};
pub use tlog_proof::{Proof, ProofError};
pub use tree::{Frontier, Span, Subtree, consistency_spans, inclusion_spans};
