//! What is said once the proxy can be used: what there is, and how an application is told of it.

use std::ffi::OsString;
use std::io::{self, Write};

use super::Taken;
use crate::app::Addresses;
use crate::cli::application::base;
use crate::snapshot::Snapshot;

#[derive(Default)]
pub(super) struct Welcome {
    /// What the configuration is, where it is ours.
    pub(super) about: Option<String>,
    pub(super) taken: Option<Taken>,
    /// Whether the page is opened.
    pub(super) page: bool,
}

/// Where a browser sees what goes on.
pub(super) fn page(at: Addresses) -> String {
    format!("{}/", base(at.admin))
}

impl Welcome {
    pub(super) fn write(
        &self,
        out: &mut impl Write,
        at: Addresses,
        snapshot: &Snapshot,
        token: Option<&str>,
    ) -> io::Result<()> {
        self.begin(out)?;
        let root = base(at.listen);
        let token = token.unwrap_or("<a token of your configuration>");
        let usual = ["chat"]
            .into_iter()
            .find(|name| snapshot.routes.contains_key(*name));
        let first = || snapshot.routes.keys().next().map(AsRef::as_ref);
        let route = usual.or_else(first);
        let route = route.unwrap_or("<a model of your configuration>");
        writeln!(
            out,
            "The application changes two settings:

  export OPENAI_BASE_URL={root}/v1       # Anthropic's SDK: ANTHROPIC_BASE_URL={root}
  export OPENAI_API_KEY={token}    # and ANTHROPIC_API_KEY

or is started with them: pillion dev -- python app.py

Try it:

  curl -N {root}/v1/chat/completions -H 'authorization: Bearer {token}' -H 'content-type: application/json' \\
    -d '{{\"model\": \"{route}\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url=\"{root}/v1\", api_key=\"{token}\")
  answer = client.chat.completions.create(model=\"{route}\", messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}])
  print(answer.choices[0].message.content)

What goes on: {} in a browser{}. Ready and metrics: /readyz, /metrics there. Ctrl-C ends it.
",
            page(at),
            if self.page { "" } else { " (--ui opens it)" },
        )?;
        out.flush()
    }

    /// For an application that is started, and needs no word of how to be told.
    pub(super) fn write_short(
        &self,
        out: &mut impl Write,
        at: Addresses,
        words: &[OsString],
    ) -> io::Result<()> {
        self.begin(out)?;
        let name = words.first().map(|word| word.display());
        writeln!(
            out,
            "Serving at {}/v1 for {}; what goes on: {}\n",
            base(at.listen),
            name.as_ref().map_or(&"" as &dyn std::fmt::Display, |it| it),
            page(at),
        )?;
        out.flush()
    }

    /// The same for programs.
    pub(super) fn log(&self, at: Addresses) {
        let (file, names) = self.taken.as_ref().map_or_else(Default::default, |it| {
            (it.0.display().to_string(), it.1.join(", "))
        });
        tracing::info!(
            target: "pillion::cli::dev",
            listen = %at.listen,
            page = page(at),
            file = (!file.is_empty()).then_some(file),
            taken = (!names.is_empty()).then_some(names),
            about = self.about,
            "serving"
        );
    }

    fn begin(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some((file, names)) = &self.taken {
            let file = file.display();
            if names.is_empty() {
                writeln!(
                    out,
                    "Nothing was taken from {file}: it has no variable that is looked for, or the environment has it too.\n"
                )?;
            } else {
                writeln!(out, "Taken from {file}: {}.\n", names.join(", "))?;
            }
        }
        match &self.about {
            Some(about) => writeln!(out, "{about}\n"),
            None => Ok(()),
        }
    }
}
