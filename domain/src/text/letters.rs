//! What Unicode says of letters: which are seen, which are written together, which look alike.

use std::collections::BTreeSet;

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use unicode_security::RestrictionLevelDetection as _;
use unicode_security::confusable_detection::skeleton;
use unicode_security::restriction_level::RestrictionLevel;

/// It is a character, and shows nothing.
const BLANK: char = '\u{2800}';

/// Whether nobody sees it, or nobody can say what it is.
pub(super) fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c == BLANK || is_ignored(c) || has_no_meaning(get_general_category(c))
}

fn has_no_meaning(category: GeneralCategory) -> bool {
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::Surrogate
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

/// Whether it is shown as nothing where it is not understood (`Default_Ignorable_Code_Point`), which
/// some letters and marks are too. A skeleton leaves these out.
fn is_ignored(c: char) -> bool {
    skeleton(c.encode_utf8(&mut [0; 4])).next().is_none()
}

/// Whether it changes the direction in which what follows is shown.
pub(super) fn turns_around(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether it is in the composed form.
pub(super) fn is_composed(text: &str) -> bool {
    is_nfc(text)
}

/// Without case, in compatible form. What was the same without case alone stays the same.
pub(super) fn fold(text: &str) -> String {
    let lower = text.to_lowercase().nfkc().collect::<String>();
    let lower = lower.to_lowercase().nfkc().collect::<String>();
    lower.trim().to_owned()
}

/// Whether it has letters that are not written together, or that no name is written with: anything
/// above "highly restrictive" of UTS 39, which allows one script, and Latin beside Chinese, Japanese
/// or Korean. Of ASCII, whatever can be seen is at home in a login.
pub(super) fn are_mixed(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let letters: String =
        text.chars().filter(|c| !c.is_ascii() || c.is_ascii_alphanumeric()).collect();
    !letters.as_str().check_restriction_level(RestrictionLevel::HighlyRestrictive)
}

/// What a login looks like: two that share one of these can be taken for each other. One is that of
/// the letters as they are written, for a capital I is a small l to many; one that of the letters
/// that are compared.
pub(crate) fn looks(login: &str) -> BTreeSet<String> {
    let written: String = skeleton(login).collect();
    let compared: String = skeleton(&super::fold(login)).collect();
    [super::fold(&written), super::fold(&compared)].into()
}
