//! The layers of a configuration, put on one another: defaults, the sidecar's own text, the
//! environment, flags; the central document; of the former what is above it. Later wins; maps merge
//! by entry, lists replace. Never here: who may say what (`authority` does).

use std::sync::Arc;

use figment::Figment;
use figment::value::Dict;

use super::authority::{self, Standing};
use super::keys;
use super::layers::{self, Layer};
use super::overrides::{self, Dropped, Why};
use super::pattern::Patterns;
use super::problem::{Origins, Problem, Report, Writer, Written};
use super::sources::{CentralText, Local, Sources, Text};
use super::text::{self, Document, Parsed};

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
    /// What the sidecar says that does not count beside its central document.
    pub(super) dropped: Vec<Dropped>,
}

/// One text, read.
pub(super) struct Read {
    pub(super) tree: Dict,
    pub(super) written: Written,
    pub(super) problems: Vec<Problem>,
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
        let (mut own, mut central) = match (own, central) {
            (Ok(own), Ok(central)) => (own, central),
            (Err(own), Err(central)) => return Err([own, central].concat()),
            (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => return Err(problems),
        };
        let Layer {
            sets,
            problems: warnings,
        } = layers::environment(&self.variables);
        let mut outside = layers::flags(&self.flags).above(sets);
        let mut problems = std::mem::take(&mut outside.problems);
        let has_source = authority::has_source(&own.tree) || outside.has("source");
        let standing = Standing::of(self.local, has_source, central.is_some());
        let left = match (&central, self.local) {
            (Some(central), Local::Bound) => authority::left_to_own(&central.tree),
            (Some(_), Local::Free) => Patterns::everything(),
            (None, _) => Patterns::default(),
        };
        if let Some(central) = &mut central {
            overrides::take_unsaid(&mut central.tree, &mut central.written);
        }
        let mut dropped = Vec::new();
        let counted = own.counted(central.as_ref(), standing, &left, &mut dropped);
        let (above, mut below) = outside.split(|path| authority::outranks(path, standing, &left));
        if let Some(central) = &central {
            below = overrides::take_beaten(below, &central.tree, &central.written, &mut dropped);
        }

        let mut figment = Figment::from(text::built_in(keys::PROFILES))
            .merge(layers::defaults(self.in_kubernetes).provider())
            .merge(Document::of(counted.clone()))
            .merge(below.provider());
        let mut said_by_central = None;
        let mut written = vec![own.written];
        problems.extend(own.problems);
        if let Some(central) = central {
            figment = figment
                .merge(Document::of(central.tree.clone()))
                .merge(Document::of(left.part_of(&counted)));
            let kept = left.positions(&written);
            written.push(central.written);
            written.extend(kept);
            problems.extend(central.problems);
            said_by_central = Some(central.tree);
        }
        let figment = figment.merge(above.provider());
        let tree =
            layers::merged(&figment).map_err(|why| vec![Problem::of_text(&self.own.name, why)])?;

        let overrides = below.sets.into_iter().chain(above.sets);
        let overrides = overrides
            .map(|(path, setting)| (path, setting.by))
            .collect();
        let mut report = Report::new(Origins { written, overrides });
        report.extend(problems, warnings);
        let told = dropped
            .iter()
            .map(|dropped: &Dropped| dropped.warning.clone());
        report.extend(Vec::new(), told.collect());
        authority::judge_own(&own.tree, standing, &mut report);
        if let Some(central) = said_by_central {
            authority::judge_central(&central, &mut report);
        }
        Ok(Merged {
            tree,
            report,
            standing,
            dropped,
        })
    }
}

impl Read {
    /// What counts of the sidecar's own text. Of the rest it is said here what is wrong with it.
    fn counted(
        &mut self,
        central: Option<&Self>,
        standing: Standing,
        left: &Patterns,
        dropped: &mut Vec<Dropped>,
    ) -> Dict {
        let mut counted = authority::counted(&self.tree, standing, left);
        if !standing.is_bound() {
            return counted;
        }
        let mut whole = Vec::new();
        if let Some(Self { tree, written, .. }) = central {
            whole = overrides::take_whole(&mut counted, tree, left, written);
        }
        let beside = central.map(|central| &central.tree);
        let groundless = overrides::take_groundless(&mut counted, beside);
        let wrong = overrides::problems_beside(&counted, &self.tree, &self.written);
        self.problems.extend(wrong);
        // Before there is a document, nothing is known of its ground.
        if standing == Standing::Led {
            let strays = authority::strays(&self.tree, left).into_iter();
            let strays = strays.map(|at| (at, Why::NotLeft));
            let groundless = groundless.into_iter().map(|at| (at, Why::Groundless));
            for (at, why) in strays.chain(whole).chain(groundless) {
                dropped.push(Dropped::in_text(&self.written, &at, &why));
                self.written.forget(&at);
            }
        }
        counted
    }
}

/// What a text says of itself, as long as it can be read.
pub(super) fn keys_of(text: &CentralText) -> Result<Dict, Vec<Problem>> {
    Ok(read(&text.into(), Writer::Central)?.tree)
}

pub(super) fn read(text: &Text, by: Writer) -> Result<Read, Vec<Problem>> {
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
