//! The layers of a configuration, put on one another: defaults, the sidecar's own text, the central
//! document, what that leaves to the sidecar's own text, the environment, flags. Later wins; maps
//! merge by entry, lists replace. Never here: who may say what (`authority` does).

use std::sync::Arc;

use figment::Figment;
use figment::value::Dict;

use super::authority::{self, Standing};
use super::keys;
use super::layers::{self, Layer};
use super::path::Path;
use super::pattern::Patterns;
use super::problem::{Origins, Problem, Report, Writer, Written};
use super::sources::{CentralText, Local, Sources, Text};
use super::text::{self, Parsed};

/// What the sources hold at one moment, to be merged as often as one likes.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) own: Text,
    pub(super) central: Option<Text>,
    local: Local,
    /// Those that may be keys of ours.
    variables: Vec<(String, String)>,
    flags: Vec<(String, String)>,
    in_kubernetes: bool,
}

/// The tree of all layers, with the report that knows which of them had the last word.
pub(super) struct Merged {
    pub(super) tree: Dict,
    pub(super) report: Report,
    pub(super) standing: Standing,
}

/// One text, read.
struct Read {
    tree: Dict,
    written: Written,
    problems: Vec<Problem>,
}

impl Given {
    pub(super) fn read(sources: &Sources) -> Result<Self, Vec<Problem>> {
        let variables = sources.env.iter();
        Ok(Self {
            own: Text::read(&sources.document)?,
            central: sources.central.as_ref().map(Text::from),
            local: sources.local,
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
        let own = read(&self.own, Writer::Own);
        let central = self.central.as_ref();
        let central = central.map(|text| read(text, Writer::Central)).transpose();
        let (mut own, central) = match (own, central) {
            (Ok(own), Ok(central)) => (own, central),
            (Err(own), Err(central)) => return Err([own, central].concat()),
            (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => return Err(problems),
        };
        let environment = layers::environment(&self.variables);
        let flags = layers::flags(&self.flags);
        let has_source = authority::has_source(&own.tree)
            || authority::has_source(environment.keys())
            || authority::has_source(flags.keys());
        let standing = Standing::of(self.local, has_source, central.is_some());
        let left = match (&central, self.local) {
            (Some(central), Local::Bound) => authority::left_to_own(&central.tree),
            (Some(_), Local::Free) => Patterns::everything(),
            (None, _) => Patterns::default(),
        };
        let written_by_own = own.tree.clone();
        authority::withhold(&mut own.tree, standing);

        let mut figment = Figment::from(text::built_in(keys::PROFILES))
            .merge(layers::defaults(self.in_kubernetes).provider())
            .merge(Layer::of(own.tree).provider());
        let mut written = vec![own.written];
        let mut problems = own.problems;
        let written_by_central = central.as_ref().map(|central| central.tree.clone());
        if let Some(central) = central {
            let kept = left.part_of(&written_by_own);
            figment = figment
                .merge(Layer::of(central.tree).provider())
                .merge(Layer::of(kept).provider());
            let kept = left.positions(&written);
            written.push(central.written);
            written.extend(kept);
            problems.extend(central.problems);
        }
        let figment = figment
            .merge(environment.provider())
            .merge(flags.provider());
        let tree =
            layers::merged(&figment).map_err(|why| vec![Problem::of_text(&self.own.name, why)])?;

        let mut overrides = environment.sets;
        overrides.extend(flags.sets);
        let said_outside: Vec<Path> = overrides.keys().cloned().collect();
        let mut report = Report::new(Origins { written, overrides });
        report.extend(problems, environment.problems);
        report.extend(flags.problems, Vec::new());
        authority::judge_own(&written_by_own, standing, &left, &mut report);
        authority::judge_outside(&said_outside, standing, &left, &mut report);
        if let Some(central) = written_by_central {
            authority::judge_central(&central, &mut report);
        }
        Ok(Merged {
            tree,
            report,
            standing,
        })
    }
}

/// What a text says of itself, as long as it can be read.
pub(super) fn keys_of(text: &CentralText) -> Result<Dict, Vec<Problem>> {
    Ok(read(&text.into(), Writer::Central)?.tree)
}

fn read(text: &Text, by: Writer) -> Result<Read, Vec<Problem>> {
    let Parsed {
        figment,
        positions,
        problems,
    } = text::parse(text.format, &text.name, &text.content)?;
    let tree = layers::merged(&figment).map_err(|why| vec![Problem::of_text(&text.name, why)])?;
    let written = Written {
        by,
        name: Arc::clone(&text.name),
        positions,
    };
    Ok(Read {
        tree,
        written,
        problems,
    })
}
