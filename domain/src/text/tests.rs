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

#[test]
fn what_cannot_be_seen_is_in_no_name() {
    // Zero width, direction, soft hyphen, variation, fillers, blank, tags, private use, unassigned.
    for unseen in "\u{200B}\u{200D}\u{202E}\u{2066}\u{FEFF}\u{AD}\u{FE0F}\u{3164}\u{115F}\u{2800}\u{E0041}\u{E000}\u{378}\u{2028}\u{34F}\u{180B}".chars() {
        let code_point = unseen.into();
        let text = format!("ali{unseen}ce");
        assert_eq!(name(&text), Err(TextError::Invisible { what: "name", code_point }), "{text:?}");
        assert_eq!(title(&text), Err(TextError::Invisible { what: "title", code_point }));
        // A separator is white space before all else.
        let refused = login(&text).expect_err("it is unseen");
        assert!(unseen.is_whitespace() || refused == TextError::Invisible { what: "login", code_point });
    }
    assert_eq!(name("e\u{301}te\u{301}"), Err(TextError::NotComposed { what: "name" }));
    assert_eq!(login("e\u{301}te\u{301}"), Err(TextError::NotComposed { what: "login" }));
    for seen in [
        "été",
        "Çağrı",
        "Straße 5",
        "пример",
        "田中 Team",
        "한국어",
        "🚀 launch",
        "ไทย",
        "=1+1",
        "<b>",
    ] {
        assert_eq!(name(seen), Ok(seen.to_owned()));
    }
    let turned = Err(TextError::Invisible { what: "reason", code_point: 0x202E });
    assert_eq!(reason(Some("paid \u{202E}yadot")), turned);
    assert_eq!(reason(Some("👩\u{200D}🚀 left")), Ok(Some("👩\u{200D}🚀 left".to_owned())));
}

#[test]
fn a_login_does_not_mix_letters() {
    for mixed in
        ["аlice", "alicе", "αda", "ad\u{a789}a", "🚀", "pаypal", "a\u{2215}b", "ada\u{2024}l"]
    {
        assert_eq!(login(mixed), Err(TextError::MixedLetters), "{mixed}");
    }
    for sound in [
        "алиса",
        "été",
        "taro田中",
        "ひらがなカナ",
        "김alice",
        "ada+l@acme.example",
        "o’hara",
        "ß_x",
        "a/../b",
        "a:b",
    ] {
        assert_eq!(login(sound), Ok(sound.to_owned()), "{sound}");
    }
}

#[test]
fn what_orgledger_writes_of_itself_is_no_login() {
    for reserved in [
        "erased:123456789abc",
        "Operator:ops",
        "system",
        "SYSTEM:expiry",
        "operator",
        "member:1",
        "service_account:1",
        "external:ada",
        "api_key:1",
        "issuer:x",
        "ｓｙｓｔｅｍ",
        "invite：1",
    ] {
        let refused = login(reserved).expect_err(reserved);
        assert!(matches!(refused, TextError::Reserved | TextError::MixedLetters), "{reserved}");
    }
    for free in ["systems", "the-operator", "member", "erased", "team:system"] {
        assert_eq!(login(free), Ok(free.to_owned()));
    }
}

#[test]
fn folding_forgets_the_form_and_is_done_once() {
    assert_eq!(fold("Ｃｈａｔ\u{3000}Ｔｅａｍ"), "chat team");
    assert_eq!(fold("ﬁle №1"), "file no1");
    assert_eq!(fold("e\u{301}"), fold("É"));
    // Beyond this plane nothing has a case or another form.
    for c in char::MIN..='\u{2FFFF}' {
        let folded = fold(&format!("a{c}b"));
        assert_eq!(fold(&folded), folded, "U+{:04X}", u32::from(c));
    }
}

#[test]
fn lookalikes_share_a_look() {
    let alike = |one: &str, other: &str| !looks(one).is_disjoint(&looks(other));
    for (one, other) in [
        ("ada", "АDА"),
        ("ada", "аdа"),
        ("coco", "сосо"),
        ("alice", "aIice"),
        ("ALICE", "aIice"),
        ("alice", "a1ice"),
        ("bob", "b0b"),
        ("ada", "ａｄａ"),
        ("Ada", "ada"),
        ("scope", "ѕсоре"),
    ] {
        assert!(alike(one, other), "{one} {other}");
    }
    for (one, other) in [("ada", "ade"), ("ben", "bea"), ("алиса", "alisa"), ("été", "ete")]
    {
        assert!(!alike(one, other), "{one} {other}");
    }
}

#[test]
fn a_host_has_labels() {
    for host in ["acme.example", "localhost", "a-b.c1", "xn--mnchen-3ya.example"] {
        assert!(is_host_name(host), "{host}");
    }
    for other in [
        "",
        ".",
        "acme..example",
        "acme.example.",
        "-a.b",
        "a-.b",
        "a_b.c",
        "münchen.de",
        "a b",
        "*.a",
        "A.b",
        "a/b",
        "https://a",
    ] {
        assert!(!is_host_name(other), "{other}");
    }
    assert!(!is_host_name(&"a".repeat(64)) && !is_host_name(&"a.".repeat(127)));
}
