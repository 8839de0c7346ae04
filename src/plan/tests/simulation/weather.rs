//! How targets behave, which changes by the minute.

use super::*;

/// The ways in which a try fails.
const ANY: [Class; 12] = [
    Class::Connect,
    Class::Timeout,
    Class::Reset,
    Class::RateLimited,
    Class::Overloaded,
    Class::ServerError,
    Class::Broken,
    Class::QuotaExhausted,
    Class::Auth,
    Class::InvalidRequest,
    Class::ContextLength,
    Class::Policy,
];

impl World {
    /// What becomes of a try at a place: after how long, and how it ends.
    pub(super) fn fate(&mut self, at: usize) -> (Duration, Class) {
        self.change_weather(at);
        let Weather {
            fails, how, takes, ..
        } = self.places[at].weather;
        let noise = 0.5 + self.rng.f64();
        if self.rng.u32(..100) >= fails {
            return (takes.mul_f64(noise), Class::Ok);
        }
        let class = how.unwrap_or_else(|| ANY[self.rng.usize(..ANY.len())]);
        let takes = match class {
            Class::Timeout => secs(60.0),
            Class::Connect => secs(0.001),
            _ => secs(0.05 * noise),
        };
        (takes, class)
    }

    fn change_weather(&mut self, at: usize) {
        if self.now < self.places[at].weather.until {
            return;
        }
        let rng = &mut self.rng;
        let fails = [0, 0, 0, 2, 30, 50, 100][rng.usize(..7)];
        let hows = [
            None,
            Some(Class::Timeout),
            Some(Class::Connect),
            Some(Class::RateLimited),
            Some(Class::ServerError),
        ];
        self.places[at].weather = Weather {
            until: self.now + secs(rng.f64() * 120.0),
            fails,
            how: hows[rng.usize(..hows.len())],
            wait: [None, Some(secs(0.5)), Some(secs(20.0))][rng.usize(..3)],
            takes: secs([0.2, 0.4, 1.5, 6.0][rng.usize(..4)]),
        };
    }
}
