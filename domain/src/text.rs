//! What a text may be: names, addresses, logins and reasons. Every decider checks its texts here,
//! and everything that is compared without case is folded here.
//!
//! A name is read by people, so nothing may stand in it that they cannot see, and no two names that
//! they would take for one another are compared as different. What is in the log stays as it was
//! written: these rules hold when something is decided, not when it is read again.

mod letters;

use event_schemas::ActorKind;
use event_schemas::personal::ERASED_PREFIX;
pub(crate) use letters::looks;

/// The longest name and login, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// The longest address, in characters: the limit of SMTP's forward path (RFC 5321, erratum 1690).
pub const EMAIL_CHARS_MAX: usize = 254;
/// The longest reason, reference or purpose, in characters.
pub const REASON_CHARS_MAX: usize = 1000;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing stands in it.
    #[error("the {what} is empty")]
    Empty {
        /// What the text is, for example "name".
        what: &'static str,
    },
    /// It is too long.
    #[error("the {what} is longer than {max} characters")]
    TooLong {
        /// What the text is.
        what: &'static str,
        /// How many characters it may have.
        max: usize,
    },
    /// It has a control character in it.
    #[error("the {what} has a control character in it")]
    ControlCharacter {
        /// What the text is.
        what: &'static str,
    },
    /// It has something in it that nobody sees, or that is no character yet.
    #[error(
        "the {what} has a character in it that cannot be seen or has no meaning: U+{code_point:04X}"
    )]
    Invisible {
        /// What the text is.
        what: &'static str,
        /// Which character.
        code_point: u32,
    },
    /// The same letters can be written in another way, and are not in the one that is compared.
    #[error("the {what} is not in Unicode's composed form (NFC)")]
    NotComposed {
        /// What the text is.
        what: &'static str,
    },
    /// It has letters that could be taken for those of another script.
    #[error(
        "the login mixes letters of several scripts, or has characters that names are not written \
         with, so that it could be taken for another"
    )]
    MixedLetters,
    /// orgledger writes so of itself.
    #[error(
        "the login has a form that orgledger itself uses, such as 'system', 'operator:…' or 'erased:…'"
    )]
    Reserved,
    /// It has white space in it.
    #[error("the {what} has white space in it")]
    WhiteSpace {
        /// What the text is.
        what: &'static str,
    },
    /// It is not an address.
    #[error("the email is not an address such as ada@example.com")]
    NotAnAddress,
    /// It has a letter that could be taken for another.
    #[error(
        "the email has characters outside of ASCII, which can look like others; \
         write an international domain in its xn-- form"
    )]
    NotAscii,
}

/// A name without the white space around it: 1 to 100 characters in composed form, each of which can
/// be seen.
pub fn name(text: &str) -> Result<String, TextError> {
    named("name", text)
}

/// A title, by the rule of names.
pub fn title(text: &str) -> Result<String, TextError> {
    named("title", text)
}

fn named(what: &'static str, text: &str) -> Result<String, TextError> {
    let name = text.trim();
    length(what, name, NAME_CHARS_MAX)?;
    no_control(what, name)?;
    seen_as_written(what, name)?;
    Ok(name.to_owned())
}

/// A login: 1 to 100 characters in composed form without white space, each of which can be seen, of
/// letters that are written together, and not what orgledger writes of itself.
pub fn login(text: &str) -> Result<String, TextError> {
    let what = "login";
    length(what, text, NAME_CHARS_MAX)?;
    no_space(what, text)?;
    seen_as_written(what, text)?;
    if letters::are_mixed(text) {
        return Err(TextError::MixedLetters);
    }
    if is_reserved(&fold(text)) {
        return Err(TextError::Reserved);
    }
    Ok(text.to_owned())
}

/// Whether it is how events, registers and reports write who did something, or who was erased.
fn is_reserved(folded: &str) -> bool {
    let kinds = || ActorKind::ALL.iter().map(|kind| kind.as_str());
    let credentials = ["api_key", "issuer", ERASED_PREFIX.trim_end_matches(':')];
    match folded.split_once(':') {
        Some((kind, _)) => kinds().chain(credentials).any(|reserved| reserved == kind),
        None => [ActorKind::System, ActorKind::Operator].iter().any(|kind| kind.as_str() == folded),
    }
}

/// An address: one `@` between a local part and a domain, up to 254 characters of ASCII, no white
/// space. Only a message that arrives proves more.
pub fn email(text: &str) -> Result<String, TextError> {
    let what = "email";
    length(what, text, EMAIL_CHARS_MAX)?;
    no_space(what, text)?;
    if !text.is_ascii() {
        return Err(TextError::NotAscii);
    }
    match text.split_once('@') {
        Some((local, domain))
            if !local.is_empty() && !domain.is_empty() && !domain.contains('@') =>
        {
            Ok(text.to_owned())
        }
        Some(_) | None => Err(TextError::NotAnAddress),
    }
}

/// Whether a folded text is a host's name (RFC 1123, 2.1): labels of letters, digits and hyphens, an
/// international one in its `xn--` form.
pub fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A reason, reference or purpose: up to 1000 characters in any number of lines. A blank one says
/// nothing and is none.
pub fn reason(text: Option<&str>) -> Result<Option<String>, TextError> {
    let what = "reason";
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    length(what, text, REASON_CHARS_MAX)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(TextError::ControlCharacter { what });
    }
    // It is read before something is decided: it must not read otherwise than it is written.
    if let Some(turning) = text.chars().find(|c| letters::turns_around(*c)) {
        return Err(TextError::Invisible { what, code_point: turning.into() });
    }
    Ok(Some(text.to_owned()))
}

/// The form in which texts are compared, without case and without differences of mere form, such as
/// that of full width: two texts are the same name, login or address where their folded forms are
/// equal.
pub fn fold(text: &str) -> String {
    // By far the most, and some are folded for every usage record.
    if text.is_ascii() {
        return text.trim().to_ascii_lowercase();
    }
    letters::fold(text)
}

fn length(what: &'static str, text: &str, max: usize) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty { what });
    }
    if longer_than(text, max) {
        return Err(TextError::TooLong { what, max });
    }
    Ok(())
}

/// A regular expression that a whole text must match, where the text is one.
pub(crate) fn whole(pattern: &str) -> Option<regex_lite::Regex> {
    // By itself, too: what closes a bracket that it did not open is none.
    regex_lite::Regex::new(pattern).ok()?;
    regex_lite::Regex::new(&format!("^(?:{pattern})$")).ok()
}

/// Whether a text has more than `max` characters; counts them only where the bytes do not tell.
pub(crate) fn longer_than(text: &str, max: usize) -> bool {
    text.len() > max && text.chars().count() > max
}

fn no_control(what: &'static str, text: &str) -> Result<(), TextError> {
    if text.chars().any(char::is_control) {
        return Err(TextError::ControlCharacter { what });
    }
    Ok(())
}

/// That the text is what a reader sees of it.
fn seen_as_written(what: &'static str, text: &str) -> Result<(), TextError> {
    if text.is_ascii() {
        return Ok(());
    }
    if let Some(unseen) = text.chars().find(|c| letters::is_unseen(*c)) {
        return Err(TextError::Invisible { what, code_point: unseen.into() });
    }
    if !letters::is_composed(text) {
        return Err(TextError::NotComposed { what });
    }
    Ok(())
}

fn no_space(what: &'static str, text: &str) -> Result<(), TextError> {
    no_control(what, text)?;
    if text.chars().any(char::is_whitespace) {
        return Err(TextError::WhiteSpace { what });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
