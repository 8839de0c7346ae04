use super::*;
use crate::chat::{CallResult, Thought, Turn};

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn call(id: &str) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: "{}".into(),
        whole: true,
        signature: None,
    })
}

fn result(id: &str, said: &str) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts: vec![text(said)],
        is_error: false,
    })
}

fn conversation(turns: &[(Role, &[Part])]) -> Conversation {
    let turns = turns.iter().map(|(role, parts)| Turn {
        role: *role,
        parts: parts.to_vec(),
    });
    Conversation {
        turns: turns.collect(),
        ..Conversation::default()
    }
}

/// `u[t:hi] a[c:1]`: roles and parts in a few letters.
fn shown(ordered: &Ordered<'_>) -> String {
    let part = |part: &Cow<'_, Part>| match &**part {
        Part::Text(text) => format!("t:{text}"),
        Part::Call(call) => format!("c:{}", call.id),
        Part::Result(result) => {
            let Some(Part::Text(said)) = result.parts.first() else {
                panic!("a result of text");
            };
            let sign = if result.is_error { '!' } else { ':' };
            format!("r{sign}{}={said}", result.id)
        }
        Part::CachePoint(_) => "*".into(),
        Part::Thought(thought) => format!("h:{}", thought.text),
        other => panic!("{other:?}"),
    };
    let turn = |turn: &OrderedTurn<'_>| {
        let role = match turn.role {
            Role::User => 'u',
            Role::Assistant => 'a',
        };
        let parts: Vec<_> = turn.parts.iter().map(part).collect();
        format!("{role}[{}]", parts.join(" "))
    };
    let turns: Vec<_> = ordered.turns.iter().map(turn).collect();
    turns.join(" ")
}

const ANY: Rules = Rules {
    pure_results: false,
    between: None,
    prefill: true,
};

/// What it shows, turns, and the same in order.
type Row<'a> = (&'a str, &'a [(Role, &'a [Part])], &'a str);

#[test]
fn a_history_is_put_in_the_order_that_strict_providers_ask_for() {
    use Role::{Assistant as A, User as U};
    let cases: [Row<'_>; 13] = [
        (
            "what is in order stays",
            &[(U, &[text("hi")]), (A, &[text("yo")]), (U, &[text("so")])],
            "u[t:hi] a[t:yo] u[t:so]",
        ),
        (
            "one role in a row is one turn",
            &[
                (U, &[text("a")]),
                (U, &[text("b")]),
                (A, &[text("c")]),
                (A, &[text("d")]),
                (U, &[text("e")]),
            ],
            "u[t:a t:b] a[t:c t:d] u[t:e]",
        ),
        (
            "results come first and in the order of the calls",
            &[
                (U, &[text("q")]),
                (A, &[call("1"), call("2")]),
                (U, &[result("2", "y")]),
                (U, &[text("and"), result("1", "x")]),
            ],
            "u[t:q] a[c:1 c:2] u[r:1=x r:2=y t:and]",
        ),
        (
            "calls come behind words",
            &[
                (U, &[text("q")]),
                (A, &[call("1"), text("wait")]),
                (U, &[result("1", "x")]),
            ],
            "u[t:q] a[t:wait c:1] u[r:1=x]",
        ),
        (
            "a call without a result gets an error",
            &[
                (U, &[text("q")]),
                (A, &[call("1"), call("2")]),
                (U, &[result("2", "y")]),
            ],
            "u[t:q] a[c:1 c:2] u[r!1=No result provided r:2=y]",
        ),
        (
            "calls at the very end, too",
            &[(U, &[text("q")]), (A, &[call("1")])],
            "u[t:q] a[c:1] u[r!1=No result provided]",
        ),
        (
            "of two results for a call the last holds",
            &[
                (U, &[text("q")]),
                (A, &[call("1")]),
                (U, &[result("1", "x"), result("1", "y")]),
            ],
            "u[t:q] a[c:1] u[r:1=y]",
        ),
        (
            "an id that is used again is answered by its own turn",
            &[
                (U, &[text("q")]),
                (A, &[call("1")]),
                (U, &[result("1", "x")]),
                (A, &[call("1")]),
                (U, &[result("1", "y")]),
            ],
            "u[t:q] a[c:1] u[r:1=x] a[c:1_2] u[r:1_2=y]",
        ),
        (
            "a word between call and result waits",
            &[
                (U, &[text("q")]),
                (A, &[call("1")]),
                (U, &[text("hm")]),
                (A, &[text("ok")]),
                (U, &[result("1", "x")]),
            ],
            "u[t:q] a[c:1] u[r:1=x t:hm] a[t:ok] u[t:(empty)]",
        ),
        (
            "blank texts go, and with them an assistant's turn",
            &[
                (U, &[text("q"), text(" \n")]),
                (A, &[text("")]),
                (U, &[text("b")]),
            ],
            "u[t:q t:b]",
        ),
        (
            "a user who says nothing says so",
            &[(U, &[text(" ")])],
            "u[t:(empty)]",
        ),
        (
            "the user begins",
            &[(A, &[text("hello")]), (U, &[text("hi")])],
            "u[t:(start)] a[t:hello] u[t:hi]",
        ),
        (
            "a cache point follows its part",
            &[
                (U, &[text("q"), Part::CachePoint(None)]),
                (A, &[call("1")]),
                (U, &[text("b"), result("1", "x"), Part::CachePoint(None)]),
            ],
            "u[t:q *] a[c:1] u[r:1=x * t:b]",
        ),
    ];
    for (what, turns, expected) in cases {
        let conversation = conversation(turns);
        assert_eq!(
            shown(&ordered(&conversation, ANY).unwrap()),
            expected,
            "{what}"
        );
    }
}

#[test]
fn a_result_of_no_call_is_nothing_that_was_said() {
    use Role::{Assistant as A, User as U};
    let cases: [Row<'_>; 3] = [
        (
            "a result without a call goes",
            &[
                (U, &[text("q")]),
                (U, &[result("9", "z")]),
                (A, &[text("a")]),
                (U, &[text("b")]),
            ],
            "u[t:q] a[t:a] u[t:b]",
        ),
        (
            "a result without a call at the very end is nothing that was said",
            &[
                (U, &[text("q")]),
                (A, &[text("a")]),
                (U, &[result("9", "z")]),
            ],
            "u[t:q] a[t:a] u[t:(empty)]",
        ),
        (
            "where only that stood, the assistant speaks on",
            &[
                (U, &[text("q")]),
                (A, &[text("a")]),
                (U, &[result("9", "z")]),
                (A, &[text("b")]),
                (U, &[text("c")]),
            ],
            "u[t:q] a[t:a t:b] u[t:c]",
        ),
    ];
    for (what, turns, expected) in cases {
        let conversation = conversation(turns);
        let ordered = ordered(&conversation, ANY).unwrap();
        assert_eq!(shown(&ordered), expected, "{what}");
    }
}

#[test]
fn results_and_words_are_kept_apart_where_they_must_be() {
    use Role::{Assistant as A, User as U};
    let conversation = conversation(&[
        (U, &[text("q")]),
        (A, &[call("1")]),
        (U, &[result("1", "x"), text("and")]),
    ]);
    let rules = Rules {
        pure_results: true,
        ..ANY
    };
    let pure = ordered(&conversation, rules).unwrap();
    assert_eq!(shown(&pure), "u[t:q] a[c:1] u[r:1=x] u[t:and]");
    let rules = Rules {
        between: Some("Understood."),
        ..ANY
    };
    let apart = ordered(&conversation, rules).unwrap();
    assert_eq!(
        shown(&apart),
        "u[t:q] a[c:1] u[r:1=x] a[t:Understood.] u[t:and]"
    );
}

#[test]
fn signed_turns_of_gemini_stay_apart() {
    let signed = |id: &str| {
        let Part::Call(call) = call(id) else {
            panic!("a call");
        };
        Part::Call(Call {
            signature: Some("s".into()),
            ..call
        })
    };
    let conversation = conversation(&[
        (Role::User, &[text("q")]),
        (Role::Assistant, &[text("a")]),
        (Role::Assistant, &[signed("1")]),
        (Role::User, &[result("1", "x")]),
    ]);
    let rules = Rules {
        pure_results: true,
        ..ANY
    };
    let apart = ordered(&conversation, rules).unwrap();
    assert_eq!(shown(&apart), "u[t:q] a[t:a] a[c:1] u[r:1=x]");
    assert_eq!(
        shown(&ordered(&conversation, ANY).unwrap()),
        "u[t:q] a[t:a c:1] u[r:1=x]"
    );
}

#[test]
fn the_last_turn_is_the_assistants_only_where_the_model_goes_on_from_there() {
    let conversation = conversation(&[
        (Role::User, &[text("q")]),
        (Role::Assistant, &[text("It is \n")]),
    ]);
    assert_eq!(
        shown(&ordered(&conversation, ANY).unwrap()),
        "u[t:q] a[t:It is]"
    );
    let refused = ordered(&conversation, Rules::default()).unwrap_err();
    assert_eq!(refused.param, "messages");
}

#[test]
fn instructions_alone_are_what_the_user_says() {
    let alone = Conversation {
        system: vec![text("be brief"), text("say hi")],
        ..Conversation::default()
    };
    let ordered = ordered(&alone, ANY).unwrap();
    assert_eq!(shown(&ordered), "u[t:say hi]");
    assert_eq!(ordered.system.len(), 1);
}

#[test]
fn instructions_that_say_nothing_are_not_given() {
    let point = || Part::CachePoint(None);
    let blank = Conversation {
        system: vec![
            point(),
            text(" \n"),
            text("be brief"),
            text(" "),
            point(),
            text("\t"),
        ],
        turns: vec![Turn {
            role: Role::User,
            parts: vec![text("Hi")],
        }],
        ..Conversation::default()
    };
    let whole = ordered(&blank, ANY).unwrap();
    let kept = [text("be brief"), point()];
    assert_eq!(whole.system, kept.each_ref().map(Cow::Borrowed));
    let alone = Conversation {
        system: vec![text("say hi"), text(" ")],
        ..Conversation::default()
    };
    let said = ordered(&alone, ANY).unwrap();
    assert_eq!(shown(&said), "u[t:say hi]");
    let nothing = Conversation {
        system: vec![text(" ")],
        ..Conversation::default()
    };
    let said = ordered(&nothing, ANY).unwrap();
    assert_eq!(shown(&said), "u[t:(empty)]");
    assert!(said.system.is_empty());
}

#[test]
fn signed_thoughts_between_calls_keep_their_place() {
    let thinks = |signature: Option<&str>| {
        Part::Thought(Thought {
            text: "t".into(),
            signature: signature.map(str::to_owned),
            redacted: None,
        })
    };
    for (signature, expected) in [
        (Some("s"), "u[t:Hi] a[c:1 h:t t:so c:2] u[r:1=x r:2=y]"),
        (None, "u[t:Hi] a[h:t t:so c:1 c:2] u[r:1=x r:2=y]"),
    ] {
        let conversation = conversation(&[
            (Role::User, &[text("Hi")]),
            (
                Role::Assistant,
                &[call("1"), thinks(signature), text("so"), call("2")],
            ),
            (Role::User, &[result("2", "y"), result("1", "x")]),
        ]);
        let ordered = ordered(&conversation, Rules::default()).unwrap();
        assert_eq!(shown(&ordered), expected);
    }
}

/// Were each id looked for from the beginning again, this would take an hour and not a moment.
#[test]
fn many_calls_of_one_id_are_put_in_order_in_one_walk() {
    const CALLS: usize = 60_000;
    let calls = vec![call("c"); CALLS];
    let in_one_turn = conversation(&[(Role::User, &[text("Hi")]), (Role::Assistant, &calls)]);
    let mut in_many = conversation(&[(Role::User, &[text("Hi")])]);
    in_many.turns.extend((0..CALLS).flat_map(|_| {
        [
            (Role::Assistant, call("c")),
            (Role::User, result("c", "done")),
        ]
        .map(|(role, part)| Turn {
            role,
            parts: vec![part],
        })
    }));
    for conversation in [in_one_turn, in_many] {
        let ordered = ordered(&conversation, Rules::default()).unwrap();
        let parts = ordered.turns.iter().flat_map(|turn| &turn.parts);
        let ids: Vec<&str> = parts
            .filter_map(|part| match &**part {
                Part::Call(call) => Some(call.id.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(ids.len(), CALLS);
        assert_eq!(ids[..3], ["c", "c_2", "c_3"]);
        assert_eq!(ids[CALLS - 1], format!("c_{CALLS}"));
    }
}
