//! Notes, keys and proofs in their text forms.

use proofs::{
    Checkpoint, CheckpointError, Hash, KeyError, Note, NoteError, Proof, ProofError, SigningKey,
    VerifyingKey, verify_inclusion,
};
use proptest::prelude::*;

/// The example of Go's `golang.org/x/mod/sumdb/note`, whose format C2SP wrote down.
const GO_PRIVATE: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::of(name, [seed; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "ledger.example/1".to_owned(), size: 5, root: Hash::of(b"root") }
}

#[test]
fn notes_of_go_are_notes_of_ours() {
    let public: VerifyingKey = GO_PUBLIC.parse().unwrap();
    assert_eq!(public.to_string(), GO_PUBLIC);
    let private: SigningKey = GO_PRIVATE.parse().unwrap();
    assert_eq!(private.verifying_key(), public);
    assert_eq!(private.reveal(), GO_PRIVATE);
    let note = Note::parse(GO_NOTE).unwrap();
    assert_eq!(note.to_string(), GO_NOTE);
    assert_eq!(note.verified_by(std::slice::from_ref(&public)).unwrap(), [&public]);
    assert_eq!(Note::sign(&note.text, [&private]), note);
}

#[test]
fn a_note_counts_by_the_keys_that_one_trusts() {
    let (ours, theirs) = (key("ledger.example/1", 1), key("ledger.example/1", 2));
    let note = Note::sign(&checkpoint().text(), [&ours, &theirs]);
    let keys = [theirs.verifying_key(), ours.verifying_key(), key("other", 1).verifying_key()];
    let (read, signers) = Checkpoint::verify(&note, &keys).unwrap();
    assert_eq!((read, signers), (checkpoint(), vec![&keys[1], &keys[0]]));
    let unsigned = Checkpoint::verify(&note, &keys[2..]).unwrap_err();
    assert!(matches!(unsigned, CheckpointError::Note(NoteError::Unsigned(_))));
    let mut forged = note.clone();
    forged.text = forged.text.replace("\n5\n", "\n6\n");
    let forged = Checkpoint::verify(&forged, &keys).unwrap_err();
    assert!(matches!(forged, CheckpointError::Note(NoteError::Forged(_))));
    // A key of another log that signed it says nothing of this one.
    let other = key("another.example", 3);
    let note = Note::sign(&checkpoint().text(), [&other]);
    let refused = Checkpoint::verify(&note, &[other.verifying_key()]).unwrap_err();
    assert_eq!(refused, CheckpointError::OtherLog("ledger.example/1".to_owned()));
}

#[test]
fn a_witness_says_when_it_has_seen_a_checkpoint() {
    let (log, witness) = (key("ledger.example/1", 1), key("witness.example", 2));
    let mut note = Note::sign(&checkpoint().text(), [&log]);
    note.cosign(&witness, 1_790_000_000);
    let note = Note::parse(&note.to_string()).unwrap();
    let keys = [log.verifying_key(), witness.witness_key()];
    assert!(keys[1].is_witness() && keys[1].to_string().parse() == Ok(keys[1].clone()));
    let (_, signers) = Checkpoint::verify(&note, &keys).unwrap();
    assert_eq!(signers, [&keys[0], &keys[1]]);
    // A witness alone does not speak for the log, nor does its key sign notes.
    assert_eq!(Checkpoint::verify(&note, &keys[1..]), Err(CheckpointError::NoLog));
    let as_log = [witness.verifying_key()];
    assert!(matches!(note.verified_by(&as_log), Err(NoteError::Unsigned(_))));
    // Another time was not signed.
    let mut earlier = note.clone();
    earlier.signatures[1].bytes[7] ^= 1;
    assert!(matches!(earlier.verified_by(&keys), Err(NoteError::Forged(_))));
}

#[test]
fn what_is_no_note_is_refused() {
    for (what, note) in [
        ("nothing", ""),
        ("no signature", "a\n"),
        ("no blank line", "a\n— x AAAAAAA=\n"),
        ("no newline at the end", "a\n\n— x AAAAAAA="),
        ("another dash", "a\n\n- x AAAAAAA=\n"),
        ("no name", "a\n\n—  AAAAAAA=\n"),
        ("a plus in the name", "a\n\n— x+y AAAAAAA=\n"),
        ("no base64", "a\n\n— x AAAA AAA=\n"),
        ("an id without a signature", "a\n\n— x AAAAAA==\n"),
        ("a tab", "a\tb\n\n— x AAAAAAA=\n"),
        ("a carriage return", "a\n\n— x AAAAAAA=\r\n"),
    ] {
        assert!(matches!(Note::parse(note), Err(NoteError::Malformed(_))), "{what}");
    }
    let many = format!("a\n\n{}", "— x AAAAAAA=\n".repeat(65));
    assert_eq!(Note::parse(&many), Err(NoteError::Malformed("it has too many signatures")));
    let long = format!("{}\n\n— x AAAAAAA=\n", "a".repeat(70_000));
    assert_eq!(Note::parse(&long), Err(NoteError::Malformed("it is too long")));
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let root = Hash::of(b"root");
    for text in [
        String::new(),
        "origin\n5\n".to_owned(),
        format!("\n5\n{root}\n"),
        format!("origin\n05\n{root}\n"),
        format!("origin\n+5\n{root}\n"),
        format!("origin\n-1\n{root}\n"),
        format!("origin\n18446744073709551616\n{root}\n"),
        "origin\n5\nAAAA\n".to_owned(),
        format!("origin\n5\n{root}\n\nmore\n"),
        format!("origin\n5\n{root}"),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(CheckpointError::Malformed), "{text:?}");
    }
    let extended = format!("origin\n0\n{root}\nextension\n");
    assert_eq!(Checkpoint::parse(&extended).unwrap().size, 0);
}

#[test]
fn keys_that_were_cut_or_mistyped_are_refused() {
    let cut = &GO_PUBLIC[..GO_PUBLIC.len() - 4];
    for (text, error) in [
        ("", KeyError::NotPublic),
        ("PeterNeumann+c74f20a3", KeyError::NotPublic),
        (cut, KeyError::Algorithm),
        (&GO_PUBLIC.replace("c74f20a3", "c74f20a4"), KeyError::Id),
        (&GO_PUBLIC.replace("Peter", "Pe er"), KeyError::Name),
        (&GO_PUBLIC.replace("+A", "+B"), KeyError::Algorithm),
    ] {
        assert_eq!(text.parse::<VerifyingKey>(), Err(error), "{text}");
    }
    assert_eq!(GO_PUBLIC.parse::<SigningKey>().unwrap_err(), KeyError::NotPrivate);
    assert_eq!(SigningKey::of("a+b", [1; 32]).unwrap_err(), KeyError::Name);
    assert_ne!(
        SigningKey::generate("x").unwrap().reveal(),
        SigningKey::generate("x").unwrap().reveal()
    );
    let shown = format!("{:?}", key("x", 7));
    assert!(!shown.contains(&key("x", 7).reveal()[20..]), "{shown}");
}

/// A tree of two leaves, and the proof of the second.
fn proof() -> (Hash, Proof, VerifyingKey) {
    let key = key("ledger.example/1", 1);
    let (left, right) = (Hash::leaf(b"left"), Hash::leaf(b"right"));
    let checkpoint = Checkpoint { size: 2, root: Hash::node(left, right), ..checkpoint() };
    let proof = Proof {
        extra: Some(b"extra".to_vec()),
        index: 1,
        path: vec![left],
        checkpoint: Note::sign(&checkpoint.text(), [&key]),
    };
    (right, proof, key.verifying_key())
}

#[test]
fn a_proof_stands_alone() {
    let (leaf, proof, key) = proof();
    let keys = [key];
    let text = proof.to_string();
    let read = Proof::parse(&text).unwrap();
    assert_eq!(read, proof);
    assert_eq!(read.verify(leaf, &keys).unwrap().size, 2);
    assert!(matches!(read.verify(Hash::leaf(b"left"), &keys), Err(ProofError::Path(_))));
    let plain = Proof { extra: None, ..proof };
    assert_eq!(Proof::parse(&plain.to_string()).unwrap(), plain);
    for (what, with) in [
        ("index 1", "index 01"),
        ("index 1", "index -1"),
        ("index 1", "indexes 1"),
        ("proof@v1", "proof@v2"),
        ("extra ", "extra !"),
        ("\n\n", "\n"),
    ] {
        assert!(Proof::parse(&text.replacen(what, with, 1)).is_err(), "{what} as {with}");
    }
    let line = format!("{}\n", Hash::of(b"x"));
    let long = text.replacen("index 1\n", &format!("index 1\n{}", line.repeat(64)), 1);
    assert_eq!(Proof::parse(&long), Err(ProofError::Malformed("its path is too long")));
}

proptest! {
    /// Whatever is done to a note's text, it is refused or as it was.
    #[test]
    fn a_note_that_was_changed_does_not_count(at in 0_usize..300, byte in any::<u8>()) {
        let key = key("ledger.example/1", 1);
        let note = Note::sign(&checkpoint().text(), [&key]).to_string();
        let mut bytes = note.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        let read = Note::parse(&text).map_err(CheckpointError::from);
        let keys = [key.verifying_key()];
        let counts = read.and_then(|note| Ok(Checkpoint::verify(&note, &keys)?.0));
        if let Ok(counts) = counts {
            prop_assert_eq!(counts, checkpoint());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), more in "[ -~\n—]{0,400}") {
        for text in [&text, &more, &format!("{text}\n\n— x {more}\n")] {
            let _ = Note::parse(text);
            let _ = Checkpoint::parse(text);
            let _ = Proof::parse(text);
            let _ = text.parse::<VerifyingKey>();
            let _ = text.parse::<SigningKey>();
            let _ = Proof::parse(&format!("c2sp.org/tlog-proof@v1\nindex 1\n{text}\n\n{more}"));
        }
    }

    #[test]
    fn any_path_is_verified_or_refused(
        index in any::<u64>(), size in any::<u64>(), length in 0_usize..70,
    ) {
        let path = vec![Hash::of(b"x"); length];
        let root = Hash::of(b"root");
        prop_assert!(verify_inclusion(root, index, size, &path, root).is_err() || size == 1);
        let (old, new) = ((index, root), (size, Hash::of(b"other")));
        prop_assert!(proofs::verify_consistency(old, new, &path).is_err());
    }
}
