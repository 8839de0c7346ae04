//! The layers of a configuration, put on one another: defaults, the sidecar's own text, the central
//! document, the environment, flags. Later wins; maps merge by entry, lists replace.

use std::sync::Arc;

use figment::Figment;
use figment::value::Dict;

use super::keys;
use super::layers;
use super::problem::{Origins, Problem, Report, Written};
use super::sources::{Sources, Text};
use super::text::{self, Parsed};

/// What the sources hold at one moment, to be merged as often as one likes.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) own: Text,
    pub(super) central: Option<Text>,
    /// Those that may be keys of ours.
    variables: Vec<(String, String)>,
    flags: Vec<(String, String)>,
    in_kubernetes: bool,
}

/// The tree of all layers, with the report that knows which of them had the last word.
pub(super) struct Merged {
    pub(super) tree: Dict,
    pub(super) report: Report,
}

impl Given {
    pub(super) fn read(sources: &Sources) -> Result<Self, Vec<Problem>> {
        let variables = sources.env.iter();
        Ok(Self {
            own: Text::read(&sources.document)?,
            central: sources.central.as_ref().map(Text::from),
            variables: variables
                .filter(|(name, _)| name.starts_with(layers::PREFIX))
                .cloned()
                .collect(),
            flags: sources.flags.clone(),
            in_kubernetes: sources.in_kubernetes,
        })
    }

    /// As it stands in records, metrics and logs: 12 digits of the text's hash. With a central
    /// document those of its text, which are the same in every sidecar, and six of the own one.
    pub(super) fn version(&self) -> String {
        let digits = |text: &Text, count| {
            let mut hash = super::sha256(text.content.as_bytes());
            hash.truncate(count);
            hash
        };
        match &self.central {
            None => digits(&self.own, 12),
            Some(central) => format!("{}.{}", digits(central, 12), digits(&self.own, 6)),
        }
    }

    /// # Errors
    /// The problems of texts that cannot be read as a whole.
    pub(super) fn merge(&self) -> Result<Merged, Vec<Problem>> {
        let own = parse(&self.own)?;
        let central = self.central.as_ref().map(parse).transpose()?;
        let environment = layers::environment(&self.variables);
        let flags = layers::flags(&self.flags);
        let mut figment = Figment::from(text::built_in(keys::PROFILES))
            .merge(layers::defaults(self.in_kubernetes).provider())
            .merge(own.figment);
        let mut problems = own.problems;
        let mut written = vec![Written {
            name: Arc::clone(&self.own.name),
            positions: own.positions,
        }];
        if let (Some(text), Some(parsed)) = (&self.central, central) {
            figment = figment.merge(parsed.figment);
            problems.extend(parsed.problems);
            written.push(Written {
                name: Arc::clone(&text.name),
                positions: parsed.positions,
            });
        }
        let figment = figment
            .merge(environment.provider())
            .merge(flags.provider());
        let tree =
            layers::merged(&figment).map_err(|why| vec![Problem::of_text(&self.own.name, why)])?;
        let mut overrides = environment.sets;
        overrides.extend(flags.sets);
        let mut report = Report::new(Origins { written, overrides });
        report.extend(problems, environment.problems);
        report.extend(flags.problems, Vec::new());
        Ok(Merged { tree, report })
    }
}

fn parse(text: &Text) -> Result<Parsed, Vec<Problem>> {
    text::parse(text.format, &text.name, &text.content)
}
