//! What a value may look like.
//!
//! A [`Shape`] is data: the table of keys is built from them, and the checker, the schema and the
//! environment layer read the same table. Never here: names of keys, or how text is read.

use figment::value::Value;

/// Instead of a hash: that of the pod's own token.
pub(super) const POD: &str = "pod";

/// What a value may look like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Bool,
    Integer {
        least: u64,
        most: u64,
    },
    /// A number with at most six decimals.
    Decimal {
        least: u64,
        most: u64,
    },
    Text,
    /// Text that may hold something secret all the same, so it is not shown.
    PrivateText,
    /// A file's path.
    File,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `300ms`, `8s`, `5m`, `1h`.
    Duration {
        zero: bool,
    },
    /// `off`, or a duration above zero.
    DurationOrOff,
    /// `5s..60s`, the shorter first, or one duration for both; never zero.
    DurationRange,
    /// `32MiB`, `100MB`, or bytes; never zero.
    Size,
    /// `40%`.
    Percent,
    /// `2027-06-30`, as the instant at which that day begins in UTC.
    Date,
    Address,
    Url,
    /// Where a secret is; its text is never repeated in a message, for it may be the secret.
    Reference,
    /// `sha256:` and 64 hexadecimal digits; never repeated either.
    Hash,
    /// The word `pod`, or a hash.
    HashOrPod,
    /// `redis://…` or `rediss://…`; it may hold a password, so it is never repeated either.
    SharedState,
    /// Where the central document is; it may hold a password too.
    SourceUrl,
    /// The 32 bytes of an Ed25519 key, in base64, in hexadecimal digits or in PEM.
    PublicKey,
    List {
        of: &'static Shape,
        least: usize,
        most: usize,
    },
    /// Entries under names of the operator's choice; the word says what such a name is.
    Map {
        name: &'static str,
        of: &'static Shape,
    },
    Table(&'static [Key]),
    /// The first of these that takes this type of value.
    AnyOf(&'static [Shape]),
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) presence: Presence,
    /// One line for the reader of an editor's pop-up.
    pub(super) help: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Presence {
    Required,
    Optional,
    /// As the operator would write it.
    Default(&'static str),
}

impl Shape {
    /// Whether this shape is meant for the type of this value, be the value right or wrong.
    pub(super) fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Bool => matches!(value, Value::Bool(..)),
            Self::Integer { .. } | Self::Decimal { .. } => matches!(value, Value::Num(..)),
            Self::Size => matches!(value, Value::Num(..) | Value::String(..)),
            Self::Date => value.as_str().is_some() || toml_date(value).is_some(),
            Self::List { .. } => matches!(value, Value::Array(..)),
            Self::Map { .. } | Self::Table(_) => matches!(value, Value::Dict(..)),
            Self::AnyOf(shapes) => shapes.iter().any(|shape| shape.takes(value)),
            Self::Text
            | Self::PrivateText
            | Self::File
            | Self::Word(_)
            | Self::Duration { .. }
            | Self::DurationOrOff
            | Self::DurationRange
            | Self::Percent
            | Self::Address
            | Self::Url
            | Self::Reference
            | Self::Hash
            | Self::HashOrPod
            | Self::SharedState
            | Self::SourceUrl
            | Self::PublicKey => matches!(value, Value::String(..)),
        }
    }

    /// What is expected, with an article.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Bool => "true or false".into(),
            Self::Integer {
                least,
                most: u64::MAX,
            } => format!("a whole number from {least}"),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Decimal { least, most } => {
                format!("a number from {least} to {most} with at most six decimals")
            }
            Self::Text | Self::PrivateText => "text".into(),
            Self::File => "a file's path".into(),
            Self::Word(words) => {
                let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                match &*quoted {
                    [one] => one.clone(),
                    all => format!("one of {}", all.join(", ")),
                }
            }
            Self::Duration { zero: true } => "a duration such as `300ms`, `8s`, `5m`, `1h`".into(),
            Self::Duration { zero: false } => {
                "a duration above zero such as `300ms`, `8s`, `5m`, `1h`".into()
            }
            Self::DurationOrOff => "`off`, or a duration above zero such as `300ms`, `8s`".into(),
            Self::DurationRange => {
                "a duration above zero, or two such as `5s..60s`, the shorter first".into()
            }
            Self::Size => "a size such as `32MiB`, `100MB` or a number of bytes".into(),
            Self::Percent => "a percentage from `0%` to `100%`".into(),
            Self::Date => "a date such as `2027-06-30`".into(),
            Self::Address => "an IP address and a port such as `127.0.0.1:4100`".into(),
            Self::Url => "a URL such as `https://api.openai.com/v1`".into(),
            Self::Reference => {
                "a reference to a secret: `env:NAME`, `file:/path`, `STORE:path#field`, `aws` or `google`"
                    .into()
            }
            Self::Hash => "`sha256:` and 64 hexadecimal digits".into(),
            Self::HashOrPod => "`sha256:` and 64 hexadecimal digits, or `pod`".into(),
            Self::SharedState => "a URL such as `redis://redis.internal:6379`".into(),
            Self::SourceUrl => "a URL such as `https://config.internal/pillion.yaml`".into(),
            Self::PublicKey => {
                "an Ed25519 public key: 32 bytes in base64 or hexadecimal, or in PEM".into()
            }
            Self::List { .. } => "a list".into(),
            Self::Map { name, .. } => format!("a map with an entry for each {name}"),
            Self::Table(_) => "a map of keys".into(),
            Self::AnyOf(shapes) => {
                let each: Vec<_> = shapes.iter().map(Self::expected).collect();
                each.join(", or ")
            }
        }
    }
}

/// The type of a value, with an article, for a message that does not repeat the value.
pub(super) fn describe(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) if toml_date(value).is_some() => "a date",
        Value::Dict(..) => "a map",
        Value::Array(..) => "a list",
    }
}

/// A date written bare in TOML, which figment shows as a map of this one private key.
pub(super) fn toml_date(value: &Value) -> Option<&str> {
    value.as_dict()?.get("$__toml_private_datetime")?.as_str()
}
