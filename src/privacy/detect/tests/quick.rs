//! What passes over many bytes at once, or keeps what it has read, finds what the plain way does.

use fastrand::Rng;

use super::super::chars::{is_dash, is_invisible, small};
use super::super::lexicon::WORDS;
use super::corpus::{negatives, positives};
use super::*;

#[test]
fn the_next_start_is_the_first_byte_that_may_be_one() {
    let may = |byte: u8| {
        byte.is_ascii_digit() || b":@".contains(&byte) || [0xd9, 0xdb, 0xef, 0xf0].contains(&byte)
    };
    let mut rng = Rng::with_seed(31);
    for _ in 0..2_000 {
        let rare = rng.u8(1..);
        let any = |_| if rng.u8(..) < rare { rng.u8(..) } else { b'x' };
        let bytes: Vec<u8> = (0..70).map(any).collect();
        for at in [0, 1, 15, 16, 17, 69, 70, 71] {
            let plain = (at..bytes.len()).find(|at| may(bytes[*at]));
            assert_eq!(next_start(&bytes, at), plain, "{bytes:?} from {at}");
        }
    }
}

fn plain_cue(word: &str) -> Cue {
    let visible = word.chars().filter(|c| !is_invisible(*c));
    let folded: String = visible
        .map(|c| if is_dash(c) { '-' } else { small(c) })
        .collect();
    let fits = |known: &str| match known.strip_suffix('*') {
        Some(stem) => folded.starts_with(stem),
        None => folded == known,
    };
    let cues = WORDS
        .iter()
        .filter(|(_, words)| words.split_ascii_whitespace().any(fits));
    cues.fold(Cue::default(), |all, (cue, _)| all.or(*cue))
}

#[test]
fn a_word_says_what_the_list_has() {
    let lexicon = Lexicon::built_in();
    let mut rng = Rng::with_seed(32);
    for (_, words) in WORDS {
        for word in words.split_ascii_whitespace() {
            let stem = word.trim_end_matches('*');
            let cut = stem.char_indices().map(|(at, _)| at);
            let cut: Vec<usize> = cut.skip(1).collect();
            let mut forms = vec![
                stem.to_owned(),
                stem.to_uppercase(),
                format!("{stem}а"),
                format!("{stem}ами"),
                format!("{stem}-x"),
            ];
            if let Some(at) = rng.choice(&cut) {
                forms.push(stem[..*at].to_owned());
                forms.push(format!("{}\u{ad}{}", &stem[..*at], &stem[*at..]));
            }
            for form in forms {
                assert_eq!(lexicon.cue(&form), plain_cue(&form), "{form}");
            }
        }
    }
}

#[test]
fn words_that_are_kept_are_those_that_would_be_read() {
    let lexicon = Lexicon::built_in();
    let mut rng = Rng::with_seed(33);
    let mut items = positives(&mut rng, 5);
    items.extend(negatives(&mut rng, 40));
    let show = |words: &Words, text: &str, at: usize| -> Vec<_> {
        let words = words.before(lexicon, text, at);
        words.map(|word| (word.start, word.end, word.cue)).collect()
    };
    for items in items.chunks(3) {
        let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        let text = texts.join(" ");
        let kept = Words::default();
        for _ in 0..60 {
            let at = text.floor_char_boundary(rng.usize(..=text.len()));
            let read = show(&Words::default(), &text, at);
            assert_eq!(show(&kept, &text, at), read, "{text:?} at {at}");
        }
    }
}
