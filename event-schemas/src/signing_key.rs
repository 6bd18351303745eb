//! Events of the keys that the log is sealed with: which public keys vouch for it, from when on. The stream
//! is the log's name, which all its keys have.

use crate::event::stream_events;

stream_events! {
    /// What happens to the keys that the log is sealed with.
    SigningKeyEvent on "signing_key" {
        /// A key seals the log from here on, beside those that do already.
        Introduced = "signing_key.introduced" "1" {
            /// The public key, as C2SP writes it: name, id and key with plus signs between.
            key: String,
        }
        /// A key seals the log no more.
        Retired = "signing_key.retired" "1" {
            /// The public key.
            key: String,
        }
    }
}
