//! The table of keys, the schema made from it, and the examples that use it.

use serde_json::Value;

use super::*;
use crate::config::keys::{PROFILES, ROOT};
use crate::config::problem::Origins;
use crate::config::shape::{Key, Presence, Shape};
use crate::simulate::{FaultClass, Feature};

const OWN: &str = "examples/central/local.yaml";
const CENTRAL: &str = "examples/central/central.yaml";

/// Those that are whole.
fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("examples").unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[test]
fn the_example_of_a_central_document_goes_with_that_of_a_sidecars_own_file() {
    let own = Document::File(OWN.into());
    let central = central_text(&Document::File(CENTRAL.into())).unwrap();
    assert!(central_text(&own).unwrap().is_none());
    let sources = Sources {
        document: own,
        central,
        ..yaml("")
    };
    let started = bootstrap(&sources).unwrap();
    assert_eq!(started.source.unwrap().verify.len(), 1);
    let Loaded {
        snapshot, warnings, ..
    } = loaded(&sources);
    assert_eq!(said(&warnings), Vec::<String>::new());
    let routes: Vec<_> = snapshot.routes.keys().map(ToString::to_string).collect();
    assert_eq!(routes, ["support-chat"]);
    assert_eq!(
        snapshot.routes["support-chat"].timeouts.whole,
        Duration::from_secs(25)
    );
    let providers: Vec<_> = snapshot.providers.keys().map(ToString::to_string).collect();
    assert_eq!(providers, ["claude", "openai"]);
}

#[test]
fn every_example_is_a_configuration() {
    let files = examples();
    assert!(files.len() >= 3);
    for file in files {
        let sources = Sources {
            document: Document::File(file),
            ..yaml("")
        };
        let loaded = loaded(&sources);
        assert!(!loaded.snapshot.routes.is_empty());
        for warning in loaded.warnings {
            assert!(warning.path.starts_with("routes.private"), "{warning}");
        }
    }
}

#[test]
fn the_schema_knows_every_key_of_the_examples() {
    let schema = schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    for file in examples().into_iter().chain([OWN.into(), CENTRAL.into()]) {
        let format = Format::of(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let parsed = text::parse(format, "example", &text).unwrap();
        let tree = layers::merged(&parsed.figment).unwrap();
        let tree = serde_json::to_value(tree).unwrap();
        assert_known(&tree, &schema, &file.display().to_string());
    }
}

fn assert_known(value: &Value, schema: &Value, at: &str) {
    match value {
        Value::Object(entries) if !entries.contains_key("$__toml_private_datetime") => {
            for (name, value) in entries {
                let at = format!("{at}.{name}");
                let table = alternatives(schema)
                    .find(|s| s["type"] == "object")
                    .expect(&at);
                let known = &table["properties"][name];
                let other = &table["additionalProperties"];
                let schema = if known.is_object() { known } else { other };
                assert!(schema.is_object(), "{at}");
                assert_known(value, schema, &at);
            }
        }
        Value::Array(items) => {
            let list = alternatives(schema)
                .find(|s| s["type"] == "array")
                .expect(at);
            for item in items {
                assert_known(item, &list["items"], at);
            }
        }
        _ => {}
    }
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let any = schema["anyOf"].as_array();
    any.into_iter().flatten().chain([schema])
}

#[test]
fn the_built_in_layer_and_every_default_are_right() {
    let text = format!("allow_anonymous: true\n{PROFILES}");
    loaded(&yaml(&text));
    assert_defaults(ROOT);
}

fn assert_defaults(keys: &'static [Key]) {
    let mut report = Report::new(Origins::default());
    for key in keys {
        assert!(key.help.ends_with('.'), "{}: {}", key.name, key.help);
        if let Presence::Default(text) = key.presence {
            let tree = [(key.name.to_owned(), layers::from_text(&key.shape, text))];
            let table = check::check(&tree.into(), keys, &mut report);
            assert!(
                !matches!(table.node(key.name), Some(node::Node::Bad)),
                "{}",
                key.name
            );
        }
        for_each_table(&key.shape, assert_defaults);
    }
}

fn for_each_table(shape: &'static Shape, then: fn(&'static [Key])) {
    match shape {
        Shape::Table(keys) => then(keys),
        Shape::Map { of, .. } | Shape::List { of, .. } => for_each_table(of, then),
        Shape::AnyOf(shapes) => shapes.iter().for_each(|shape| for_each_table(shape, then)),
        _ => {}
    }
}

#[test]
fn the_words_for_faults_and_features_are_those_of_the_simulator() {
    let Some(Shape::Map {
        of: Shape::Table(provider),
        ..
    }) = shape_of(ROOT, "simulate")
    else {
        panic!("simulate is a map of tables");
    };
    let Some(Shape::Map {
        of: Shape::Table(behaviour),
        ..
    }) = shape_of(provider, "models")
    else {
        panic!("models is a map of tables");
    };
    let Some(Shape::List {
        of: Shape::Word(words),
        ..
    }) = shape_of(behaviour, "script")
    else {
        panic!("script is a list of words");
    };
    assert_eq!(*words, FaultClass::ALL.map(FaultClass::name));
    for key in ["rejects", "ignores"] {
        let Some(Shape::List {
            of: Shape::Word(words),
            ..
        }) = shape_of(behaviour, key)
        else {
            panic!("{key} is a list of words");
        };
        assert_eq!(*words, Feature::ALL.map(Feature::name));
    }
}

fn shape_of(keys: &'static [Key], name: &str) -> Option<&'static Shape> {
    keys.iter()
        .find(|key| key.name == name)
        .map(|key| &key.shape)
}

#[test]
fn a_wrong_type_says_what_is_expected() {
    for (line, said) in [
        ("workers: one", "is text, not a whole number from 1 to 256"),
        ("workers: 0", "is not a whole number from 1 to 256"),
        ("workers: 1.5", "is not a whole number from 1 to 256"),
        ("h2c: yes", "is text, not true or false"),
        ("hosts: a.example", "is text, not a list"),
        ("identity: [a]", "is a list, not a map of keys"),
        (
            "identity: { team: 7 }",
            "is a number, not text; put it into quotes",
        ),
        ("identity: { team: \"\" }", "is empty"),
        (
            "providers: [a]",
            "is a list, not a map with an entry for each provider",
        ),
        ("body_limit: 0", "is not a size"),
        ("drain: 1 minute", "`1 minute` is not a duration"),
        ("listen: \":4100\"", "is not an IP address and a port"),
        ("audit: { to: [stdot] }", "did you mean `stdout`?"),
        ("keys: {}", "is a map, not a list"),
        ("routes: { \" a\": {} }", "is no name for a route"),
        ("cache: {}", "cache: is not a key here"),
    ] {
        // The wrong line may repeat a key of a good text, so the text is this line alone.
        let problems = refused(&yaml(&format!("allow_anonymous: true\n{line}\n"))).join("\n");
        assert!(problems.contains(said), "{line}: {problems}");
    }
}
