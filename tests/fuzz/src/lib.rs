//! What the targets share: how a stream is cut, and what is asked of everything that reads one.

pub mod amazon;
pub mod frames;
pub mod shown;

use peak_alloc::PeakAlloc;
use pillion::chat::{Answer, Event};
use pillion::outcome::{Class, Failure};
use pillion::wire::json;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What comes to a decoder.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    Chunk(&'a [u8]),
    /// The provider closed.
    End,
    /// The connection broke.
    Cut,
}

/// How it went.
pub type Outcome = Result<(), Class>;

/// `data` behind its first byte, and how long the chunks are to be in which it comes.
pub fn chunked(data: &[u8]) -> (usize, &[u8]) {
    match data {
        [size, rest @ ..] => (usize::from(*size).max(1), rest),
        [] => (1, data),
    }
}

/// The stream in chunks of `size`, to its end.
pub fn whole(data: &[u8], size: usize) -> impl Iterator<Item = Step<'_>> {
    data.chunks(size).map(Step::Chunk).chain([Step::End])
}

/// The first half of the same chunks, and a break.
pub fn broken(data: &[u8], size: usize) -> impl Iterator<Item = Step<'_>> {
    let chunks = data.chunks(size);
    let half = chunks.len().div_ceil(2);
    chunks.take(half).map(Step::Chunk).chain([Step::Cut])
}

/// Runs `what` and holds it to its memory: a constant for each byte that came, and some for none.
pub fn within<T>(bytes: usize, each: usize, what: impl FnOnce() -> T) -> T {
    const FOR_NOTHING: usize = 256 << 10;
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let came = what();
    let most = HEAP.peak_usage().saturating_sub(before);
    let allowed = FOR_NOTHING + each * bytes;
    assert!(
        most <= allowed,
        "{most} bytes are held for {bytes}, {allowed} allowed"
    );
    came
}

/// What a decoder of events promises, wherever the chunks end.
pub fn events<D>(data: &[u8], size: usize, new: impl Fn() -> D)
where
    D: FnMut(Step<'_>, &mut Vec<Event>) -> Result<(), Failure>,
{
    let at_once = read(&mut new(), whole(data, data.len().max(1)));
    assert_eq!(at_once, read(&mut new(), whole(data, size)));
    // Whatever is cut, the order is kept; there is nothing to compare it with.
    drop(read(&mut new(), broken(data, size)));
}

fn read<'a>(
    decoder: &mut impl FnMut(Step<'_>, &mut Vec<Event>) -> Result<(), Failure>,
    steps: impl Iterator<Item = Step<'a>>,
) -> (Answer, Outcome) {
    let mut events = Vec::new();
    let mut outcome = Ok(());
    for step in steps {
        outcome = decoder(step, &mut events).map_err(|failure| failure.class);
        if outcome.is_err() {
            break;
        }
    }
    in_order(&events, outcome);
    let mut answer = Answer::default();
    answer.extend(events);
    (answer, outcome)
}

/// The order that [`Event`] promises.
fn in_order(events: &[Event], outcome: Outcome) {
    let (mut begun, mut called) = (0, 0);
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Id(_) => assert_eq!(at, 0, "the id is first"),
            Event::CallBegan => begun += 1,
            Event::Call(call) => {
                called += 1;
                assert!(called <= begun, "a call is announced");
                let object = call.arguments.trim_start().starts_with('{');
                assert!(
                    !call.whole || object && json::check(&call.arguments).is_ok(),
                    "half a call is given out as whole: {call:?}"
                );
                assert!(!call.name.is_empty() && !call.id.is_empty(), "{call:?}");
            }
            Event::Usage(_) => assert!(
                matches!(events[at + 1..], [Event::Finish(_)]),
                "usage stands right before the finish"
            ),
            Event::Finish(_) => assert_eq!(at + 1, events.len(), "the finish is last"),
            Event::Text(_) | Event::Reasoning(_) | Event::Refusal(_) | Event::Thought(_) => {}
        }
    }
    let finished = matches!(events.last(), Some(Event::Finish(_)));
    assert!(outcome.is_err() || finished, "an end without a finish");
}
