//! What a gateway tells of itself at `/metrics`, and how a test waits until it does.

use std::time::Duration;

use super::Gateway;
use crate::support::soon;

impl Gateway {
    /// What is told of this sample: its name, with its labels if it has any.
    pub(crate) async fn metric(&self, sample: &str) -> Option<String> {
        let metrics = self.ask_admin("/metrics").await;
        let mut lines = metrics.text().lines();
        lines.find_map(|line| Some(line.strip_prefix(sample)?.strip_prefix(' ')?.to_owned()))
    }

    /// Whether a line is there that is so.
    pub(crate) async fn has_metric(&self, is_it: impl Fn(&str) -> bool) -> bool {
        self.ask_admin("/metrics").await.text().lines().any(is_it)
    }

    /// Waits until a line is there that is so.
    pub(crate) async fn until_metric(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        soon(what, async {
            while !self.has_metric(&is_it).await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }

    /// Waits until so many requests of a route are under way: those that joined are among them.
    pub(crate) async fn under_way(&self, route: &str, count: usize) {
        let line = format!("pillion_in_flight{{route=\"{route}\"}} {count}");
        self.until_metric(&line, |told| told == line).await;
    }
}
