//! JSON from outside as a tree: each member once, and no more of it than makes sense.
//!
//! A tree may take sixty times the memory of its text: `[{"a":[]},…`.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A tree of at most so many values.
pub(super) struct Tree<const MOST: usize>(pub(super) Value);

impl<'de, const MOST: usize> Deserialize<'de> for Tree<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut left = MOST;
        Branch { left: &mut left }
            .deserialize(deserializer)
            .map(Self)
    }
}

/// A value, of which so many may still come.
struct Branch<'a> {
    left: &'a mut usize,
}

impl Branch<'_> {
    fn next(&mut self) -> Branch<'_> {
        Branch { left: self.left }
    }
}

impl<'de> DeserializeSeed<'de> for Branch<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let less = self.left.checked_sub(1);
        *self.left = less.ok_or_else(|| D::Error::custom("has too many values"))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Branch<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(is.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.next())? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("`{name}` is written twice")));
            }
            let value = map.next_value_seed(self.next())?;
            members.insert(name, value);
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const MOST: usize>(text: &str) -> Result<Value, String> {
        let read = serde_json::from_str::<Tree<MOST>>(text);
        read.map(|Tree(value)| value)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_tree_is_what_its_text_says() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,1.5,"\u00e9\n"],"":{"a":[]}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read::<11>(text), Ok(value));
    }

    #[test]
    fn more_than_makes_sense_is_not_read() {
        let why = read::<3>("[[], {\"a\": 1}]").unwrap_err();
        assert!(why.contains("has too many values at line 1"), "{why}");
        assert!(read::<4>("[[], {\"a\": 1}]").is_ok());
        let why = read::<9>("{\"a\": {\"b\": 1, \"b\": 2}}").unwrap_err();
        assert!(why.contains("`b` is written twice"), "{why}");
        assert!(read::<999>(&"[".repeat(500)).is_err());
    }
}
