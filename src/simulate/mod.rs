//! Simulated providers: the OpenAI wire on a loopback port, with behaviour to order.
//!
//! They are reached as any provider is, through the ordinary upstream path, and nothing else in
//! the process knows that they are not real: no test-only branch exists anywhere. What a model
//! answers follows from the request and its [`Behaviour`] alone, so that a run repeats.
//! Any token is accepted. Never here: a record, a log, or a connection to anywhere.
//! <https://platform.openai.com/docs/api-reference/chat> (read 2026-11)

mod answer;
mod ask;
mod behaviour;
mod chat;
mod embed;
mod outage;
mod refusal;
mod reply;
mod schema;
mod server;
mod stage;
mod words;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

pub use behaviour::{Behaviour, Fault, FaultClass, Feature, SimulatedProvider, ToolCall};
pub use outage::{Gone, Outage};
use stage::Stage;

use crate::tasks::Tasks;

/// One simulated provider, serving. Dropping it stops it.
pub struct Simulator {
    address: SocketAddr,
    stage: Arc<Stage>,
    stop: watch::Sender<bool>,
    /// Its own: a drain of the process does not wait for what is only simulated.
    tasks: Tasks,
}

impl Simulator {
    /// Binds the provider's address and serves from now on.
    ///
    /// # Errors
    /// Those of binding: the port is taken, or is not ours to take.
    pub async fn start(provider: SimulatedProvider) -> io::Result<Self> {
        let listener = TcpListener::bind(provider.listen).await?;
        let address = listener.local_addr()?;
        let stage = Arc::new(Stage::new(provider.name, provider.models));
        let (stop, stopped) = watch::channel(false);
        let tasks = Tasks::default();
        let answering = Arc::clone(&stage);
        let answer = move |request| {
            let stage = Arc::clone(&answering);
            async move { answer::answer(&stage, request).await }
        };
        tasks.spawn(server::serve(listener, answer, tasks.clone(), stopped));
        Ok(Self {
            address,
            stage,
            stop,
            tasks,
        })
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests so far that named `model`, or any of the names that share the entry `*` with it.
    pub fn requests(&self, model: &str) -> u64 {
        self.stage.part(model).map_or(0, stage::Part::requests)
    }

    /// Closes the port and every connection, as when a process is killed. Returns when that is
    /// done: from then on a connection is refused. What was counted can still be asked.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.tasks.idle().await;
    }
}

#[cfg(test)]
mod tests;
