//! Names of time zones.

/// The longest name, in characters; IANA's longest has about thirty.
const NAME_CHARS_MAX: usize = 64;

/// Whether a text has the form of a time zone's name as IANA has it, such as `Europe/Berlin`, or is
/// `UTC`. What Postgres takes beside those (abbreviations, which mean several zones, and rules, whose
/// signs are the other way round) is none. Whether there is such a zone, only a database of them says.
pub fn is_time_zone_name(text: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "_+-".contains(letter))
    };
    text == "UTC"
        || (text.len() <= NAME_CHARS_MAX && text.contains('/') && text.split('/').all(is_name))
}

#[cfg(test)]
mod tests {
    use super::is_time_zone_name;

    #[test]
    fn a_name_says_one_zone() {
        for name in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert!(is_time_zone_name(name), "{name}");
        }
        let long = format!("Europe/{}", "a".repeat(60));
        for name in ["", "CET", "EST5EDT", "Europe/", "/Berlin", "+02:00", "<+02>-2/x", &long] {
            assert!(!is_time_zone_name(name), "{name}");
        }
    }
}
