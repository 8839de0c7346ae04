//! How far our own count of tokens is from what providers counted, on exchanges that really were.

use bytes::Bytes;

use super::anthropic::surface::Splicer as Messages;
use super::decoder::Decoder;
use super::{openai, responses};
use crate::chat::{Request, Surface, Usage, Weight};
use crate::recordings::{self, OPENAI, OTHERS};

/// Below that many tokens a share says nothing.
const LEAST: u64 = 20;

/// Our counts beside theirs.
#[derive(Debug, Default)]
struct Counts(Vec<(String, u64, u64)>);

impl Counts {
    fn add(&mut self, name: &str, ours: u64, theirs: Option<u64>) {
        if let Some(theirs) = theirs.filter(|theirs| *theirs >= LEAST) {
            self.0.push((name.to_owned(), ours, theirs));
        }
    }

    /// The median and the ninth decile of the error, and ours over theirs of all together.
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    fn errors(&self) -> [f64; 3] {
        let mut errors: Vec<f64> = (self.0.iter())
            .map(|(_, ours, theirs)| (*ours as f64 - *theirs as f64).abs() / *theirs as f64)
            .collect();
        errors.sort_by(f64::total_cmp);
        let sums = self.0.iter().fold((0, 0), |sums, (_, ours, theirs)| {
            (sums.0 + ours, sums.1 + theirs)
        });
        let at = |tenths: usize| errors[(errors.len() * tenths / 10).min(errors.len() - 1)];
        [at(5), at(9), sums.0 as f64 / sums.1 as f64]
    }
}

fn decoder(name: &str, url: &str) -> Option<(Decoder, Surface)> {
    if url.contains("/responses") {
        let splicer = responses::Splicer::new(None);
        return Some((Decoder::Responses(Box::new(splicer)), Surface::Responses));
    }
    if name.starts_with("anthropic-") {
        return Some((
            Decoder::Messages(Box::new(Messages::new(None))),
            Surface::Messages,
        ));
    }
    let wanted = openai::Wanted {
        shape: openai::Shape::Chat,
        choices: 1,
        model: None,
        usage: true,
        moderation: false,
        seed: 1,
    };
    let chat = url.contains("/chat/completions");
    chat.then(|| {
        (
            Decoder::OpenAi(Box::new(openai::Decoder::new(wanted))),
            Surface::Chat,
        )
    })
}

/// What is said where all of it is shown: thinking that nobody sees is counted and cannot be weighed.
fn shown(usage: &Usage) -> Option<u64> {
    usage
        .completion
        .filter(|_| usage.reasoning.unwrap_or_default() == 0)
}

#[test]
fn our_count_is_near_theirs() {
    let [mut texts, mut calls, mut plain, mut others_asked] = <[Counts; 4]>::default();
    let others = recordings::samples(OTHERS, |name| name.starts_with("anthropic-"));
    let openai = recordings::samples(OPENAI, |_| true);
    for (name, sample) in others.into_iter().chain(openai).flatten() {
        let request = &sample["request"];
        let url = request["url"]
            .as_str()
            .or(request["path"].as_str())
            .unwrap_or_default();
        let Some((mut decoder, surface)) = decoder(&name, url) else {
            continue;
        };
        let response = &sample["response"];
        // Recordings that were shortened say less than was counted.
        let said = response.to_string();
        let calls_made = [
            "tool_use",
            "tool_calls\\\":[{",
            "\"tool_calls\":[{",
            "function_call",
        ];
        let calls_made = calls_made.iter().any(|it| said.contains(it));
        let answers = if calls_made { &mut calls } else { &mut texts };
        let whole = !sample["converter_notes"].to_string().contains("elided");
        let stream = response["sse_text"].as_str().filter(|_| whole);
        let usage = if let Some(stream) = stream {
            if decoder.feed(stream.as_bytes()).is_err() || decoder.end().is_err() {
                continue;
            }
            let usage = decoder.usage();
            answers.add(&name, decoder.weight(), shown(&usage));
            usage
        } else if response["body"].is_object() && whole {
            let body = response["body"].to_string();
            if decoder.whole(body.as_bytes()).is_err() {
                continue;
            }
            let usage = decoder.usage();
            answers.add(
                &name,
                Weight::of_answer(body.as_bytes()).tokens(),
                shown(&usage),
            );
            usage
        } else {
            continue;
        };
        let asked = request["body"].to_string();
        let is_text = [
            "\"tools\"",
            "\"functions\"",
            "image",
            "document",
            "_file",
            "output_format",
            "schema",
        ];
        let is_text = !is_text.iter().any(|it| asked.contains(it));
        let prompts = if is_text {
            &mut plain
        } else {
            &mut others_asked
        };
        let body = Bytes::from(asked);
        if let Ok(request) = Request::read(surface, body) {
            prompts.add(&name, request.tokens, usage.prompt);
        }
    }
    if texts.0.is_empty() {
        return;
    }
    for (what, counts) in [
        ("answers of text", &texts),
        ("answers with calls", &calls),
        ("prompts of text", &plain),
        (
            "prompts with tools, pictures, documents or schemas",
            &others_asked,
        ),
    ] {
        let [median, ninth, all] = counts.errors();
        println!(
            "{what}: {} of {LEAST} tokens and more; error {:.0} % in the median, {:.0} % in the ninth decile; all together {:.2} of theirs",
            counts.0.len(),
            median * 100.0,
            ninth * 100.0,
            all
        );
        for (name, ours, theirs) in &counts.0 {
            println!("  {ours:>7} {theirs:>7}  {name}");
        }
    }
    let [median, _, all] = texts.errors();
    assert!(median < 0.3 && (0.7..1.4).contains(&all), "{median} {all}");
}
