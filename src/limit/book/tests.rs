use std::time::Duration;

use super::super::terms::{Budget, Of, Scope};
use super::super::window::Per;
use super::*;

struct Desk {
    book: Book,
    at: Moment,
}

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn terms(of: Of, name: &str, set: impl FnOnce(&mut Terms)) -> Arc<Terms> {
    let mut terms = Terms::none(Scope::new(of, name));
    set(&mut terms);
    Arc::new(terms)
}

fn budget(amount: &str, per: Per, alone: bool) -> Budget {
    Budget {
        amount: money(amount),
        per,
        alone,
        on_loss: OnLoss::Closed,
    }
}

impl Desk {
    fn new() -> Self {
        Self {
            book: Book::default(),
            at: Moment {
                now: Instant::now(),
                time: "2026-11-30T23:00:00Z".parse().unwrap(),
            },
        }
    }

    fn wait(&mut self, span: Duration) {
        self.at.now += span;
        self.at.time = self
            .at
            .time
            .checked_add(jiff::SignedDuration::try_from(span).unwrap())
            .unwrap();
    }

    fn take(
        &mut self,
        terms: &[&Arc<Terms>],
        tokens: u64,
        price: &str,
        mode: Mode,
    ) -> Result<Taken, Refused> {
        let taking = Taking {
            terms: terms.iter().map(|terms| Arc::clone(terms)).collect(),
            tokens,
            price: money(price),
        };
        let taken = self.book.take(taking, mode, self.at);
        taken.map_err(|refusal| refusal.refused)
    }

    fn settle(&mut self, taken: &Taken, tokens: Option<u64>, cost: Option<&str>) -> usize {
        let cost = cost.map(money);
        self.book.settle(taken, tokens, cost, self.at.now).len()
    }
}

const ALL: Mode = Mode::Share(1);

#[test]
fn all_limits_or_none_of_them_and_the_longest_wait_is_told() {
    let key = terms(Of::Key, "a", |it| it.rpm = Some(60));
    let route = terms(Of::Route, "r", |it| it.tpm = Some(600));
    let mut desk = Desk::new();
    let _one = desk.take(&[&key, &route], 590, "0", ALL).unwrap();
    // The route has ten tokens left. What is refused for that takes nothing of the key.
    for _ in 0..100 {
        let refused = desk.take(&[&key, &route], 20, "0", ALL).unwrap_err();
        assert_eq!(refused.why, Why::Tokens(Duration::from_secs(1)));
        assert_eq!(refused.label(), "route_tpm");
    }
    let taken = desk.take(&[&key], 0, "0", ALL).unwrap();
    assert_eq!(
        taken
            .shown
            .requests
            .map(|left| (left.limit, left.remaining)),
        Some((60, 58))
    );
    assert_eq!(taken.shown.tokens, None);
}

#[test]
fn tokens_are_reserved_and_put_right_up_and_down() {
    let key = terms(Of::Key, "a", |it| it.tpm = Some(6000));
    for (used, next) in [
        (Some(100), 5900),
        (None, 5000),
        (Some(0), 6000),
        (Some(3000), 3000),
    ] {
        let mut desk = Desk::new();
        let taken = desk.take(&[&key], 1000, "0", ALL).unwrap();
        desk.settle(&taken, used, None);
        // Of a full bucket, any number may be taken.
        assert!(next == 6000 || desk.take(&[&key], next + 1, "0", ALL).is_err());
        assert!(desk.take(&[&key], next, "0", ALL).is_ok(), "{used:?}");
    }
}

#[test]
fn so_many_at_once_and_each_gives_its_place_back() {
    let key = terms(Of::Key, "a", |it| it.concurrency = Some(2));
    let mut desk = Desk::new();
    let one = desk.take(&[&key], 0, "0", ALL).unwrap();
    let _two = desk.take(&[&key], 0, "0", ALL).unwrap();
    assert_eq!(
        desk.take(&[&key], 0, "0", ALL).unwrap_err().why,
        Why::Concurrency
    );
    desk.settle(&one, None, None);
    assert!(desk.take(&[&key], 0, "0", ALL).is_ok());
}

#[test]
fn a_budget_is_never_overshot_by_what_was_reserved() {
    let key = terms(Of::Key, "a", |it| {
        it.budget = Some(budget("1", Per::Day, false));
    });
    let mut desk = Desk::new();
    let taken: Vec<_> = std::iter::from_fn(|| desk.take(&[&key], 0, "0.3", ALL).ok()).collect();
    assert_eq!(taken.len(), 3);
    // What runs may cost less, and then there is room again.
    assert_eq!(
        desk.take(&[&key], 0, "0.3", ALL).unwrap_err().why,
        Why::Held(Per::Day)
    );
    assert_eq!(desk.settle(&taken[0], None, Some("0.1")), 0);
    let fourth = desk.take(&[&key], 0, "0.3", ALL).unwrap();
    for taken in taken[1..].iter().chain([&fourth]) {
        // Of what nobody knows, all is charged. Four fifths are told once.
        assert_eq!(
            desk.settle(taken, None, None),
            usize::from(
                taken.taking.price == money("0.3") && std::ptr::eq(taken, &raw const fourth)
            )
        );
    }
    let refused = desk.take(&[&key], 0, "0.1", ALL).unwrap_err();
    assert_eq!(refused.why, Why::Spent(Per::Day));
    assert_eq!(refused.retry_after(), None);
    let purse = desk.book.purse_of("key:a|2026-11-30").unwrap();
    assert_eq!((purse.spent, purse.held), (money("1"), Money::ZERO));
}

#[test]
fn a_day_and_a_month_begin_anew_and_what_runs_is_charged_where_it_began() {
    let key = terms(Of::Key, "a", |it| {
        it.budget = Some(budget("1", Per::Day, false));
    });
    let team = terms(Of::Team, "t", |it| {
        it.budget = Some(budget("1.5", Per::Month, false));
    });
    let both = [&key, &team];
    let mut desk = Desk::new();
    let late = desk.take(&both, 0, "1", ALL).unwrap();
    assert!(desk.take(&both, 0, "0.1", ALL).is_err());
    desk.wait(Duration::from_hours(1));
    assert!(desk.take(&both, 0, "1", ALL).is_ok(), "it is December");
    desk.settle(&late, None, Some("1"));
    let spent = |desk: &Desk, account| desk.book.purse_of(account).unwrap().spent;
    assert_eq!(spent(&desk, "key:a|2026-11-30"), money("1"));
    assert_eq!(spent(&desk, "team:t|2026-11"), money("1"));
    assert_eq!(spent(&desk, "key:a|2026-12-01"), Money::ZERO);
    assert_eq!(
        desk.book.spent(desk.at.time).len(),
        2,
        "what is over is forgotten"
    );
}

#[test]
fn each_has_its_share_and_a_budget_of_its_own_whole() {
    let shared = terms(Of::Key, "a", |it| {
        it.budget = Some(budget("1", Per::Day, false));
    });
    let alone = terms(Of::Key, "b", |it| {
        it.budget = Some(budget("1", Per::Day, true));
    });
    let limits = terms(Of::Key, "c", |it| {
        it.rpm = Some(100);
        it.concurrency = Some(3);
    });
    let mut desk = Desk::new();
    let four = Mode::Share(4);
    assert!(desk.take(&[&shared], 0, "0.26", four).is_err());
    assert!(desk.take(&[&shared], 0, "0.25", four).is_ok());
    assert!(desk.take(&[&alone], 0, "1", four).is_ok());
    let taken = desk.take(&[&limits], 0, "0", four).unwrap();
    assert_eq!(taken.shown.requests.map(|left| left.limit), Some(25));
    assert_eq!(
        desk.take(&[&limits], 0, "0", four).unwrap_err().why,
        Why::Concurrency
    );
    // What the fleet counts is not counted here.
    assert!(desk.take(&[&shared], 0, "9", Mode::Own).is_ok());
    assert!(desk.take(&[&alone], 0, "0.1", Mode::Own).is_err());
}

#[test]
fn while_the_fleet_does_not_count_a_share_holds_or_nothing() {
    let open = terms(Of::Key, "a", |it| it.rpm = Some(100));
    let closed = terms(Of::Key, "b", |it| {
        it.rpm = Some(100);
        it.on_loss = OnLoss::Closed;
    });
    let mut desk = Desk::new();
    let passed = std::iter::from_fn(|| desk.take(&[&open], 0, "0", Mode::Lost(20)).ok());
    let passed: Vec<_> = passed.collect();
    assert_eq!(passed.len(), 5);
    assert_eq!(
        passed[0].shown,
        Shown::default(),
        "nothing is told that nobody knows"
    );
    let refused = desk.take(&[&closed], 0, "0", Mode::Lost(20)).unwrap_err();
    assert_eq!(
        (refused.why, refused.label()),
        (Why::LimitUnknown, "limits")
    );
}

#[test]
fn what_ran_before_the_fleet_was_lost_counts_on() {
    let key = terms(Of::Key, "a", |it| it.concurrency = Some(20));
    let mut desk = Desk::new();
    let before: Vec<_> = (0..8)
        .map(|_| desk.take(&[&key], 0, "0", Mode::Own).unwrap())
        .collect();
    let lost = Mode::Lost(4);
    assert_eq!(
        desk.take(&[&key], 0, "0", lost).unwrap_err().why,
        Why::Concurrency
    );
    before.iter().for_each(|taken| {
        desk.settle(taken, None, None);
    });
    let passed = std::iter::from_fn(|| desk.take(&[&key], 0, "0", lost).ok());
    assert_eq!(passed.count(), 5);
}

#[test]
fn what_costs_nothing_passes_by_a_budget_that_is_overspent() {
    let key = terms(Of::Key, "a", |it| {
        it.budget = Some(budget("1", Per::Day, false));
    });
    let mut desk = Desk::new();
    let taken = desk.take(&[&key], 0, "1", ALL).unwrap();
    desk.settle(&taken, None, Some("1.5"));
    assert!(desk.take(&[&key], 0, "0.000001", ALL).is_err());
    assert!(desk.take(&[&key], 0, "0", ALL).is_ok());
}

#[test]
fn an_earlier_life_counts() {
    let key = terms(Of::Key, "a", |it| {
        it.budget = Some(budget("1", Per::Month, false));
    });
    let mut desk = Desk::new();
    let account = key.budget.unwrap().account(&key.scope, desk.at.time);
    for spent in ["0.7", "0.2"] {
        let ends = account.window.ends;
        desk.book.remember(&account.name, ends, money(spent));
    }
    assert!(desk.take(&[&key], 0, "0.4", ALL).is_err());
    assert!(desk.take(&[&key], 0, "0.3", ALL).is_ok());
}
