//! The skip-parser that everything else stands on, beside another one: what it takes is JSON, what it
//! does not take is none, and what it says of a string is so.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pillion::wire::edit::Object;
use pillion::wire::json::{self, Cursor, Kind};
use pillion_fuzz::within;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    within(data.len(), 64, || read(text));
});

fn read(text: &str) {
    let checked = json::check(text);
    let raw = serde_json::from_str::<&RawValue>(text);
    match (&checked, &raw) {
        (Ok(()), Err(error)) => panic!("taken, and refused behind us: {error}"),
        // The parser beside looks at neither in a value that it only passes on.
        (Err(invalid), Ok(_)) => assert!(
            ["nests too deep", "half of a surrogate pair"].contains(&invalid.what),
            "{invalid:?}"
        ),
        (Ok(()), Ok(_)) | (Err(_), Err(_)) => {}
    }
    if let Err(invalid) = checked {
        assert!(invalid.at <= text.len() && text.is_char_boundary(invalid.at));
        return;
    }
    match Cursor::new(text).kind() {
        Ok(Kind::String) => {
            let string = Cursor::new(text).string().expect("it was checked");
            assert_eq!(&text[string.span()], text.trim());
            if let Ok(decoded) = serde_json::from_str::<String>(text) {
                assert_eq!(string.decode(), decoded);
                assert!(string.says(&decoded));
                assert!(json::check(&json::quote(&decoded)).is_ok());
            }
        }
        Ok(Kind::Object) => {
            let object = Object::read(&mut Cursor::new(text)).expect("it was checked");
            for (_, span) in object.members() {
                assert!(json::check(&text[span]).is_ok());
            }
        }
        Ok(Kind::Array) => {
            let array = Cursor::new(text).array(|cursor| {
                let span = cursor.skip()?;
                assert!(json::check(&text[span]).is_ok());
                Ok::<(), json::Invalid>(())
            });
            assert_eq!(array.map(|span| &text[span]), Ok(text.trim()));
        }
        Ok(Kind::Number | Kind::Bool | Kind::Null) => {}
        Err(invalid) => panic!("{invalid:?}"),
    }
}
