use super::*;

#[test]
fn a_name_is_trimmed_and_bounded() {
    assert_eq!(name("  Chat team\t"), Ok("Chat team".to_owned()));
    assert_eq!(name(&"ü".repeat(100)), Ok("ü".repeat(100)));
    assert_eq!(name(&"ü".repeat(101)), Err(TextError::TooLong { what: "name", max: 100 }));
    assert_eq!(name(" \u{a0} "), Err(TextError::Empty { what: "name" }));
    assert_eq!(name("a\nb"), Err(TextError::ControlCharacter { what: "name" }));
    assert_eq!(name("a\0"), Err(TextError::ControlCharacter { what: "name" }));
}

#[test]
fn a_login_has_no_white_space() {
    assert_eq!(login("Ada.L"), Ok("Ada.L".to_owned()));
    assert_eq!(login(" ada"), Err(TextError::WhiteSpace { what: "login" }));
    assert_eq!(login("a\u{2003}b"), Err(TextError::WhiteSpace { what: "login" }));
    assert_eq!(login("a\tb"), Err(TextError::ControlCharacter { what: "login" }));
    assert_eq!(login(""), Err(TextError::Empty { what: "login" }));
    assert_eq!(login(&"x".repeat(101)), Err(TextError::TooLong { what: "login", max: 100 }));
}

#[test]
fn an_address_has_one_at_between_two_parts() {
    for address in ["ada@example.com", "a+b@localhost", "a@xn--nda"] {
        assert_eq!(email(address), Ok(address.to_owned()));
    }
    for text in ["ada", "@example.com", "ada@", "a@b@c", "@"] {
        assert_eq!(email(text), Err(TextError::NotAnAddress), "{text}");
    }
    assert_eq!(email("a b@c"), Err(TextError::WhiteSpace { what: "email" }));
    // The second has a Cyrillic а, the third an ſ, which upper case makes an S.
    for lookalike in ["ü@example.com", "аda@example.com", "ada@acme.example\u{17f}"] {
        assert_eq!(email(lookalike), Err(TextError::NotAscii), "{lookalike}");
    }
    assert_eq!(email(""), Err(TextError::Empty { what: "email" }));
    let longest = format!("{}@x", "a".repeat(252));
    assert_eq!(email(&longest), Ok(longest.clone()));
    let longer = format!("a{longest}");
    assert_eq!(email(&longer), Err(TextError::TooLong { what: "email", max: 254 }));
}

#[test]
fn a_blank_reason_is_none() {
    assert_eq!(reason(None), Ok(None));
    assert_eq!(reason(Some(" \n")), Ok(None));
    assert_eq!(reason(Some(" left\nus ")), Ok(Some("left\nus".to_owned())));
    assert_eq!(reason(Some("a\0b")), Err(TextError::ControlCharacter { what: "reason" }));
    let long = "x".repeat(1001);
    assert_eq!(reason(Some(&long)), Err(TextError::TooLong { what: "reason", max: 1000 }));
}

#[test]
fn folding_forgets_case_and_the_space_around() {
    assert_eq!(fold(" ÜMIT "), "ümit");
    assert_eq!(fold("Straße"), fold("STRAßE"));
    assert_eq!(fold(&fold("İstanbul")), fold("İstanbul"));
}
