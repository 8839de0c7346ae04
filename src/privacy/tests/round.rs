//! Placeholders: given, repeated, cut, changed by a model, and put back.

use fastrand::Rng;

use super::*;

#[test]
fn the_same_value_has_the_same_placeholder() {
    let (out, vault) = masked("+7 701 123 45 67, A@mail.kz; 8(701)1234567, a@MAIL.kz, b@mail.kz");
    assert_eq!(out, "[PHONE_1], [EMAIL_1]; [PHONE_1], [EMAIL_1], [EMAIL_2]");
    assert_eq!(vault.len(), 3);
    // The first way to write it is what comes back.
    assert_eq!(
        vault.restore("[PHONE_1] [EMAIL_1] [EMAIL_2]", Form::Text),
        "+7 701 123 45 67 A@mail.kz b@mail.kz"
    );
    assert_eq!(format!("{vault:?}"), "Vault(3 values)");
}

#[test]
fn what_escapes_stand_for_is_what_comes_back() {
    let text = r#"Rows: {"tel":"\u002b77011234567","to":"Hi\nanna@mail.kz"}, +7 701 123 45 67"#;
    let (out, vault) = masked(text);
    assert_eq!(
        out,
        r#"Rows: {"tel":"[PHONE_1]","to":"Hi\n[EMAIL_1]"}, [PHONE_1]"#
    );
    assert_eq!(
        vault.restore("[PHONE_1] [EMAIL_1]", Form::Text),
        "+77011234567 anna@mail.kz"
    );
}

#[test]
fn a_text_that_reads_like_a_placeholder_stays_itself() {
    let text = r"[EMAIL_1] \[email_2\] [Email 3] \u005bEMAIL_4\u005d a@b.kz [EMAIL_x] [PHONE_1]";
    let (out, vault) = masked(text);
    assert_eq!(out, text.replace("a@b.kz", "[EMAIL_5]"));
    assert_eq!(vault.restore(&out, Form::Text), text);
}

#[test]
fn what_a_model_changes_is_put_back_where_it_is_unambiguous() {
    let (_, vault) = masked("a@b.kz and c@d.kz");
    for (text, expected) in [
        ("[EMAIL_1]", "a@b.kz"),
        ("([email_1])", "(a@b.kz)"),
        ("**[Email_1]**", "**a@b.kz**"),
        (r"\[EMAIL_1\]", "a@b.kz"),
        (r"\[EMAIL\_1\]", "a@b.kz"),
        (r"[EMAIL\_1]", "a@b.kz"),
        ("[ EMAIL_1 ]", "a@b.kz"),
        ("[EMAIL 1]", "a@b.kz"),
        ("[EMAIL-2]", "c@d.kz"),
        (r"\u005bEMAIL_1\u005d", "a@b.kz"),
        (r"\u005BEMAIL\u005f1\u005D", "a@b.kz"),
        ("[[EMAIL_1]]", "[a@b.kz]"),
        ("[EMAIL_1](mailto:[EMAIL_1])", "a@b.kz(mailto:a@b.kz)"),
        (r"C:\[EMAIL_1]", r"C:\a@b.kz"),
        ("[EMAIL_1", "[EMAIL_1"),
        (
            "[EMAIL_3] [EMAIL_01] [EMAIL_12] [EMAIL_] [EMAIL] EMAIL_1",
            "[EMAIL_3] [EMAIL_01] [EMAIL_12] [EMAIL_] [EMAIL] EMAIL_1",
        ),
        ("[PHONE_1] [x] [] [", "[PHONE_1] [x] [] ["),
        (r"\\\\\\ \u00 \u005b \", r"\\\\\\ \u00 \u005b \"),
    ] {
        assert_eq!(vault.restore(text, Form::Text), expected, "{text}");
        // Also when it comes in two pieces, or in single letters.
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let pieces = [&text[..at], &text[at..]];
            assert_eq!(
                streamed(&vault, Form::Text, pieces),
                expected,
                "{text} at {at}"
            );
        }
        let letters = text
            .char_indices()
            .map(|(at, c)| &text[at..at + c.len_utf8()]);
        assert_eq!(streamed(&vault, Form::Text, letters), expected, "{text}");
    }
}

#[test]
fn little_is_held_back() {
    let (_, vault) = masked("a@b.kz");
    let mut unmask = Unmask::new(Arc::clone(&vault), Form::Text);
    let mut out = String::new();
    for (piece, sent) in [
        ("Hi [", "Hi "),
        ("x", "Hi [x"),
        ("[EMA", "Hi [x"),
        ("IL", "Hi [x"),
        ("S", "Hi [x[EMAILS"),
        ("[EMAIL_", "Hi [x[EMAILS"),
        ("1", "Hi [x[EMAILS"),
        ("]!", "Hi [x[EMAILSa@b.kz!"),
        ("[IP_", "Hi [x[EMAILSa@b.kz![IP_"),
    ] {
        unmask.push(piece, &mut out);
        assert_eq!(out, sent, "{piece}");
    }
    // A beginning that goes on for ever is none.
    let endless = format!("[EMAIL_{}", "1".repeat(500));
    let mut begun = String::new();
    unmask.push(&endless, &mut begun);
    assert_eq!(begun, endless);
    let blanks = format!("[{}", " ".repeat(500));
    begun.clear();
    unmask.push(&blanks, &mut begun);
    assert!(blanks.len() - begun.len() < 200);
}

#[test]
fn a_value_in_json_is_escaped() {
    let detectors = Detectors::new([("quote", "\"[^\"]+\"")]).unwrap();
    let mut vault = Vault::default();
    let text = "say \"a\\b\"";
    assert_eq!(
        mask(&detectors, text, Classes::ALL, &mut vault).unwrap(),
        "say [QUOTE_1]"
    );
    let vault = Arc::new(vault);
    for written in [
        r#"{"x":"[QUOTE_1]"}"#,
        r#"{"x":"\u005bQUOTE_1\u005d"}"#,
        r#"{"x":"\\[QUOTE_1\\]"}"#,
    ] {
        for at in 0..=written.len() {
            let pieces = [&written[..at], &written[at..]];
            let json = streamed(&vault, Form::Json, pieces);
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value["x"], "\"a\\b\"", "{written} at {at}");
        }
    }
}

#[test]
fn an_empty_vault_changes_nothing() {
    let vault = Arc::new(Vault::default());
    let text = r"[EMAIL_1] \[ \u005b [";
    assert_eq!(streamed(&vault, Form::Text, [text]), text);
    assert_eq!(vault.restore(text, Form::Text), text);
    assert_eq!(vault.restore_body("{").unwrap(), None);
}

/// Words, marks, values and what reads like placeholders, in any order.
pub(super) fn any_text(rng: &mut Rng) -> String {
    let pieces = [
        "a@b.kz",
        "+7 701 123 45 67",
        "880101300209",
        "4111 1111 1111 1111",
        "KZ86125KZT5004100100",
        "N12345678",
        "договор № 45-К/2023",
        "45-К/2023",
        "ул. Абая, д. 10, кв. 5",
        "10.20.30.40",
        "x",
        " ",
        "\n",
        "[",
        "]",
        "\\",
        "\"",
        "_1]",
        "[EMAIL_1]",
        "[email 2]",
        "\\[PHONE_1\\]",
        "\\u005b",
        "\\u005d",
        "EMAIL_1",
        "[IP_",
        "слово",
        "қала",
        "\u{200b}",
        "１２",
        "{",
        "}",
        ":",
        ",",
        "7",
        "-",
        "(",
        ")",
        "😀",
        "тел. 250-12-34",
        "250-12-34",
        "c@d.kz",
    ];
    (0..rng.usize(..14))
        .map(|_| pieces[rng.usize(..pieces.len())])
        .collect()
}

#[test]
fn what_is_masked_comes_back_wherever_it_is_cut() {
    let mut rng = Rng::with_seed(5);
    let detectors = Detectors::default();
    let mut changed = 0;
    for _ in 0..600 {
        let text = any_text(&mut rng);
        let (out, vault) = masked(&text);
        changed += u32::from(out != text);
        // A value that is written in two ways comes back in the first of them.
        if vault.len() == detectors.find(&text, Classes::ALL).len() || out == text {
            assert_eq!(vault.restore(&out, Form::Text), text);
        }
        let whole = vault.restore(&out, Form::Text);
        for at in (0..=out.len()).filter(|at| out.is_char_boundary(*at)) {
            let pieces = [&out[..at], &out[at..]];
            assert_eq!(
                streamed(&vault, Form::Text, pieces),
                whole,
                "{text:?} at {at}"
            );
        }
    }
    assert!(changed > 300, "{changed}");
}

#[test]
fn nothing_of_a_value_is_left() {
    let mut rng = Rng::with_seed(6);
    for _ in 0..600 {
        let text = any_text(&mut rng);
        let (out, vault) = masked(&text);
        for (_, _, value) in vault.entries() {
            // What stands within a longer word, or a longer number, is another value.
            let alone = |at: usize| {
                let before = out[..at].chars().next_back();
                let after = out[at + value.len()..].chars().next();
                ![before, after]
                    .iter()
                    .any(|c| c.is_some_and(char::is_alphanumeric))
            };
            let left = out.match_indices(value).any(|(at, _)| alone(at));
            assert!(
                !left || value.len() < 5,
                "{value:?} is left in {out:?} of {text:?}"
            );
        }
    }
}
