//! Limits and budgets as requests meet them: all that a request is to take is taken before it is
//! sent, and put right when it ends, however it ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::book::{self, Book, Mode, Moment, Taken, Taking, Warning};
use super::foreseen::Asked;
use super::hold::{Hold, Used};
use super::ledger::{self, Entry, Memory, Whose};
use super::parts::{items, refused, shown};
use super::refused::{Refusal, Refused, Why};
use super::shown::Shown;
use super::terms::{Account, Budget, Of, Scope, Terms};
use crate::fleet::Counters;
use crate::fleet::counters::Lease;
use crate::price::{Money, Month};
use crate::snapshot::Target;
use crate::telemetry::{Metrics, names};

/// The limits of the process, and the way to those of the fleet. Clones are one.
#[derive(Clone)]
pub struct Quotas {
    inner: Arc<Inner>,
}

struct Inner {
    book: Mutex<Book>,
    /// Absent where no state is shared.
    counters: OnceLock<Counters>,
    metrics: Arc<Metrics>,
}

/// What was taken here, what in the fleet, and what is left.
type Granted = (Taken, Option<Lease>, Shown);

/// Whose limits a request is under.
pub type Under = SmallVec<[Arc<Terms>; 3]>;

/// The first of them that has a budget: money is counted.
pub fn budget_of(under: &Under) -> Option<&Scope> {
    let mut budgeted = under.iter().filter(|terms| terms.budget.is_some());
    budgeted.next().map(|terms| &terms.scope)
}

/// What a request was given.
#[derive(Debug)]
pub struct Given {
    pub hold: Hold,
    pub shown: Shown,
    /// The targets that the budgets are enough for, where not all are.
    pub within: Option<Vec<Arc<Target>>>,
}

/// A request that is to be sent.
#[derive(Debug)]
pub struct Request<'a> {
    pub under: Under,
    /// The key's id, for metrics.
    pub key: &'a Arc<str>,
    pub route: &'a Arc<str>,
    pub asked: Asked,
    /// How many processes have the same limits, as configured.
    pub instances: u32,
}

impl Quotas {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            inner: Arc::new(Inner {
                book: Mutex::default(),
                counters: OnceLock::new(),
                metrics,
            }),
        }
    }

    /// From now on the fleet counts.
    pub fn share(&self, counters: Counters) {
        // It is shared but once.
        let _ = self.inner.counters.set(counters);
    }

    /// Takes what the request is thought to need of each limit and, of each budget, what it costs at the
    /// dearest of `targets` that it is enough for.
    ///
    /// # Errors
    /// A limit that it does not fit into, or a budget that is not enough for any of them; then it has taken
    /// nothing.
    pub async fn take(
        &self,
        request: Request<'_>,
        targets: &[Arc<Target>],
    ) -> Result<Given, Box<Refusal>> {
        let usual = self.book().usual(request.route);
        let month = Month::of(Timestamp::now());
        let prices = targets
            .iter()
            .map(|target| request.asked.price(usual, target, month));
        let prices: SmallVec<[Money; 4]> = prices.collect();
        let (taken, price) =
            self.take_at(&request, usual, &prices)
                .await
                .inspect_err(|refusal| {
                    let labels = [
                        (names::KEY, request.key.into()),
                        (names::LIMIT, refusal.refused.label().into()),
                    ];
                    self.inner
                        .metrics
                        .limit_rejections
                        .get_or_create(&labels)
                        .inc();
                })?;
        let (taken, lease, shown) = taken;
        let hold = Hold {
            quotas: self.clone(),
            taken: Some(taken),
            lease,
            route: Arc::clone(request.route),
        };
        let is_within = |at: &Money| *at <= price;
        let within = (!prices.iter().all(is_within)).then(|| {
            let within = prices.iter().zip(targets).filter(|(at, _)| is_within(at));
            within.map(|(_, target)| Arc::clone(target)).collect()
        });
        Ok(Given {
            hold,
            shown,
            within,
        })
    }

    /// At the dearest of these prices that the budgets are enough for.
    async fn take_at(
        &self,
        request: &Request<'_>,
        usual: u64,
        prices: &[Money],
    ) -> Result<(Granted, Money), Box<Refusal>> {
        let mut price = prices.iter().copied().max().unwrap_or_default();
        let mut first = None;
        loop {
            let taking = Taking {
                terms: request.under.clone(),
                tokens: request.asked.tokens(usual),
                price,
            };
            let taken = match self.inner.counters.get() {
                None => self.take_here(taking, Mode::Share(request.instances)),
                Some(counters) => self.take_there(counters, taking, request).await,
            };
            let refusal = match taken {
                Ok(taken) => return Ok((taken, price)),
                Err(refusal) if refusal.refused.is_for_money() => refusal,
                Err(refusal) => return Err(refusal),
            };
            let cheaper = prices.iter().copied().filter(|other| *other < price);
            let Some(cheaper) = cheaper.max() else {
                // What was wanted at first is what is told.
                return Err(first.unwrap_or(refusal));
            };
            first.get_or_insert(refusal);
            price = cheaper;
        }
    }

    fn take_here(&self, taking: Taking, mode: Mode) -> Result<Granted, Box<Refusal>> {
        let at = Moment {
            now: Instant::now(),
            time: Timestamp::now(),
        };
        match self.book().take(taking, mode, at) {
            Ok(taken) => {
                let shown = taken.shown;
                Ok((taken, None, shown))
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn take_there(
        &self,
        counters: &Counters,
        taking: Taking,
        request: &Request<'_>,
    ) -> Result<Granted, Box<Refusal>> {
        // What is this process's own comes first: it is given back without asking anybody.
        let (taken, _, _) = self.take_here(taking, Mode::Own)?;
        let (items, whose) = items(counters, &taken.taking);
        if items.is_empty() {
            return Ok((taken, None, Shown::default()));
        }
        let own = Hold {
            quotas: self.clone(),
            taken: Some(taken),
            lease: None,
            route: Arc::clone(request.route),
        };
        let lost = match counters.take(&items).await {
            Ok((Some(lease), said)) => {
                let shown = shown(&items, &said);
                return match own.into_taken() {
                    Some(taken) => Ok((taken, Some(lease), shown)),
                    None => Err(Box::new(unknown(&request.under))),
                };
            }
            Ok((None, said)) => {
                let shown = shown(&items, &said);
                let refused = refused(&items, &whose, &said);
                let Some(refused) = refused else {
                    return Err(Box::new(unknown(&request.under)));
                };
                return Err(Box::new(Refusal { refused, shown }));
            }
            Err(lost) => lost,
        };
        let seen = counters.instances().unwrap_or(1);
        let instances = seen.max(request.instances);
        let lease = counters.lend(lost, &items, instances).map_err(|place| {
            Box::new(Refusal {
                refused: Refused {
                    scope: whose[place].scope.clone(),
                    why: Why::SpendUnknown,
                },
                shown: Shown::default(),
            })
        })?;
        let taking = own.taken.as_ref().map(|taken| taken.taking.clone());
        drop(own);
        let Some(taking) = taking else {
            return Err(Box::new(unknown(&request.under)));
        };
        match self.take_here(taking, Mode::Lost(instances)) {
            Ok((taken, _, _)) => Ok((taken, Some(lease), Shown::default())),
            Err(refusal) => {
                counters.settle(lease, Some(0), Some(Money::ZERO));
                Err(refusal)
            }
        }
    }

    /// What is spent and reserved of a budget, and what it may be, as this process knows it.
    pub fn standing(&self, terms: &Terms, budget: &Budget, instances: u32) -> Standing {
        let account = budget.account(&terms.scope, Timestamp::now());
        let counters = self.inner.counters.get().filter(|_| !budget.alone);
        let (spent, held, limit) = if let Some(counters) = counters {
            let (spent, held) = counters.known(&account.name).unwrap_or_else(|| {
                // From now on it is asked for.
                counters.remember(&account.name, Money::ZERO, account.window.ends);
                Default::default()
            });
            (spent, held, budget.amount)
        } else {
            let shared_by = if budget.alone { 1 } else { instances };
            let book = self.book();
            let purse = book.purse_of(&account.name);
            (
                purse.map(|purse| purse.spent).unwrap_or_default(),
                purse.map(|purse| purse.held).unwrap_or_default(),
                book::share(budget.amount, shared_by),
            )
        };
        Standing {
            account,
            limit,
            spent,
            held,
            is_shared: counters.is_some(),
        }
    }

    /// What is spent, and what is known of what the fleet has spent, by name.
    pub(super) fn memory(&self) -> Memory {
        let now = Timestamp::now();
        let entry = |whose| {
            move |(account, spent, ends)| Entry {
                whose,
                account,
                spent,
                ends,
            }
        };
        let own = self.book().spent(now);
        let counters = self.inner.counters.get();
        // In this order: what is told meanwhile is in both, and counts once by its name.
        let mut owed = counters.map(Counters::owed).unwrap_or_default();
        let fleet = counters.map(|it| it.all(now));
        let fleet = fleet.unwrap_or_default().into_iter();
        let mut entries: Vec<Entry> = own.into_iter().map(entry(Whose::Own)).collect();
        entries.extend(fleet.map(entry(Whose::Fleet)));
        // So that the same is written the same.
        entries.sort_by(|a, b| a.account.cmp(&b.account));
        owed.sort_by(|a, b| (&a.id, &a.account).cmp(&(&b.id, &b.account)));
        Memory {
            epoch: counters.map(Counters::joined).unwrap_or_default(),
            instances: counters.and_then(Counters::instances),
            entries,
            owed,
        }
    }

    /// What an earlier life of this process has spent. Where the fleet counts no more, what it has spent is
    /// taken to be spent by each of so many in equal parts, and what it was not told by this one.
    pub(super) fn remember(&self, memory: Memory, instances: u32) {
        let counters = self.inner.counters.get();
        let mut untold: HashMap<Arc<str>, Money> = HashMap::new();
        if let Some(counters) = counters {
            counters.was_in(&memory.epoch);
            if let Some(instances) = memory.instances {
                counters.were(instances);
            }
            counters.owe(memory.owed);
        } else {
            for owed in memory.owed {
                *untold.entry(owed.account).or_default() += owed.spent;
            }
        }
        for entry in memory.entries {
            let spent = match (entry.whose, counters) {
                (Whose::Fleet, Some(counters)) => {
                    counters.remember(&entry.account, entry.spent, entry.ends);
                    continue;
                }
                (Whose::Fleet, None) => {
                    let untold = untold.get(&entry.account).copied().unwrap_or_default();
                    book::share(entry.spent, instances) + untold
                }
                (Whose::Own, _) => entry.spent,
            };
            self.book().remember(&entry.account, entry.ends, spent);
        }
    }

    /// Keeps what is spent in `folder`, for the next life of this process.
    pub async fn keep(self, folder: ledger::Folder) {
        ledger::keep(self, folder).await;
    }

    pub(super) fn settle(&self, taken: &Taken, lease: Option<Lease>, used: Used, route: &Arc<str>) {
        let Used { tokens, cost, .. } = used;
        let warnings = {
            let mut book = self.book();
            if let Some(completion) = used.completion {
                book.answered(route, completion);
            }
            book.settle(taken, tokens, cost, Instant::now())
        };
        for Warning { account } in warnings {
            tracing::warn!(budget = %account, "four fifths of a budget are spent");
        }
        if let (Some(lease), Some(counters)) = (lease, self.inner.counters.get()) {
            counters.settle(lease, tokens, cost);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.inner
            .book
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A budget as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub account: Account,
    pub limit: Money,
    pub spent: Money,
    pub held: Money,
    pub is_shared: bool,
}

/// Redis says what cannot be.
fn unknown(under: &Under) -> Refusal {
    let scope = under.first().map(|terms| terms.scope.clone());
    Refusal {
        refused: Refused {
            scope: scope.unwrap_or_else(|| Scope::new(Of::Key, "-")),
            why: Why::LimitUnknown,
        },
        shown: Shown::default(),
    }
}
