//! What a text may be: names, addresses, logins and reasons. Every decider checks its texts here,
//! and everything that is compared without case is folded here.

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

/// A name without the white space around it: 1 to 100 characters, none of them a control character.
pub fn name(text: &str) -> Result<String, TextError> {
    let what = "name";
    let name = text.trim();
    length(what, name, NAME_CHARS_MAX)?;
    no_control(what, name)?;
    Ok(name.to_owned())
}

/// A title, by the rule of names.
pub fn title(text: &str) -> Result<String, TextError> {
    let what = "title";
    let title = text.trim();
    length(what, title, NAME_CHARS_MAX)?;
    no_control(what, title)?;
    Ok(title.to_owned())
}

/// A login: 1 to 100 characters without white space or control characters.
pub fn login(text: &str) -> Result<String, TextError> {
    let what = "login";
    length(what, text, NAME_CHARS_MAX)?;
    no_space(what, text)?;
    Ok(text.to_owned())
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
    Ok(Some(text.to_owned()))
}

/// The form in which texts are compared without case: two texts are the same name, login or
/// address where their folded forms are equal.
pub fn fold(text: &str) -> String {
    text.trim().to_lowercase()
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

fn no_space(what: &'static str, text: &str) -> Result<(), TextError> {
    no_control(what, text)?;
    if text.chars().any(char::is_whitespace) {
        return Err(TextError::WhiteSpace { what });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
