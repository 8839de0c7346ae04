//! Reading every secret of a configuration once, for a command that ends.

use std::io;
use std::time::Duration;

use super::run;
use super::validate::Unread;
use crate::secret::Keyring;
use crate::snapshot::Snapshot;
use crate::stores::Stores;
use crate::tasks::Tasks;
use crate::upstream::{Clients, Egress};

/// How long all stores together may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Those that cannot be read under this environment, and why. Credentials that a service issues are
/// not asked for.
///
/// # Errors
/// The system's, of a runtime.
pub(super) fn unread(snapshot: &Snapshot, env: &[(String, String)]) -> io::Result<Unread> {
    let runtime = run::runtime(1)?;
    let unread = runtime.block_on(async {
        let tasks = Tasks::default();
        let clients = Clients::new(tasks.clone(), Egress::of(env));
        let stores = Stores::new(env, clients, tasks.clone());
        let keyring = Keyring::with_stores(move |place| stores.open(place), tasks).under(env);
        let providers = snapshot.providers.values();
        let named: Vec<_> = providers.filter_map(|it| it.secret.as_ref()).collect();
        keyring.load(&snapshot.secret_stores, named.iter().copied());
        keyring.read_once(PATIENCE).await;
        let why = |it| keyring.problem(it).map(|problem| problem.to_string());
        let unread = named
            .into_iter()
            .filter_map(|it| Some((it.clone(), why(it)?)));
        unread.collect()
    });
    runtime.shutdown_background();
    Ok(unread)
}
