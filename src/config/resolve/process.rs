//! What the process is, beside what it serves: addresses, threads, simulated providers.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use crate::config::Process;
use crate::config::node::Table;
use crate::config::path::Path;
use crate::config::problem::Report;
use crate::simulate::{Behaviour, Fault, FaultClass, Feature, SimulatedProvider, ToolCall};
use crate::snapshot::Percent;

/// Instead of a function's name: the first one offered.
const ANY_TOOL: &str = "*";

pub(super) fn resolve(root: &Table, report: &mut Report) -> Process {
    let unread = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let count = |key| {
        let count = root.integer(key).and_then(|n| usize::try_from(n).ok());
        count.unwrap_or(1)
    };
    let process = Process {
        listen: root.address("listen").unwrap_or(unread),
        admin: root.address("admin").unwrap_or(unread),
        workers: count("workers"),
        drain: root.duration("drain").unwrap_or_default(),
        lame_duck: root.duration("lame_duck").unwrap_or_default(),
        h2c: root.flag("h2c").unwrap_or(false),
        concurrency: count("concurrency"),
        queue: count("queue"),
        connections: count("connections"),
        shared_state: root.shared_state("shared_state"),
        cache_dir: root.text("cache_dir").map(|folder| folder.as_ref().into()),
        audit: super::audit::resolve(root, report),
        traces: super::collector::traces(root, report),
        simulate: root
            .map("simulate")
            .map(|(name, table)| simulated(name, table, report))
            .collect(),
    };
    let mut taken: BTreeMap<SocketAddr, Path> = BTreeMap::new();
    let simulated = process.simulate.iter();
    let simulated = simulated.map(|s| (root.at("simulate").key(&*s.name).key("listen"), s.listen));
    for (at, address) in [
        (root.at("listen"), process.listen),
        (root.at("admin"), process.admin),
    ]
    .into_iter()
    .chain(simulated)
    // Port 0 is a different one each time.
    .filter(|(_, address)| address.port() != 0)
    {
        if let Some(first) = taken.get(&address) {
            report.problem(&at, format!("{address} is already the address of {first}"));
        } else {
            taken.insert(address, at);
        }
    }
    process
}

fn simulated(name: &str, table: &Table, report: &mut Report) -> SimulatedProvider {
    let listen = table.address("listen");
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback()) {
        let message =
            format!("{listen} is not a loopback address, and any token is accepted there");
        report.warning(&table.at("listen"), message);
    }
    SimulatedProvider {
        name: name.into(),
        listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        models: table
            .map("models")
            .map(|(model, table)| (model.to_owned(), behaviour(table, report)))
            .collect(),
    }
}

fn behaviour(table: &Table, report: &mut Report) -> Behaviour {
    let owned = |text: std::sync::Arc<str>| text.as_ref().to_owned();
    let fail: Vec<_> = table.tables("fail").filter_map(fault).collect();
    let shares = fail.iter().map(|fault| u32::from(fault.share.parts()));
    if shares.sum::<u32>() > Percent::PARTS.into() {
        report.problem(&table.at("fail"), "has shares of more than `100%` together");
    }
    let default = Behaviour::default();
    Behaviour {
        first_token: table.duration("first_token").unwrap_or(default.first_token),
        pace: table.duration("pace").unwrap_or(default.pace),
        tokens: table
            .integer("tokens")
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(default.tokens),
        text: table.text("text").map(owned),
        tool: table.table("tool").and_then(|tool| {
            let name = owned(tool.text("name")?);
            if name == ANY_TOOL {
                return Some(ToolCall::FirstOffered);
            }
            let arguments = owned(tool.text("arguments")?);
            Some(ToolCall::Named { name, arguments })
        }),
        rejects: features(table, "rejects"),
        ignores: features(table, "ignores"),
        context: table.integer("context"),
        fail,
        script: table
            .texts("script")
            .filter_map(|(_, word)| FaultClass::from_name(&word))
            .collect(),
    }
}

fn features(table: &Table, key: &str) -> Vec<Feature> {
    table
        .texts(key)
        .filter_map(|(_, word)| Feature::from_name(&word))
        .collect()
}

fn fault(table: &Table) -> Option<Fault> {
    Some(Fault {
        class: FaultClass::from_name(&table.text("class")?)?,
        share: table.percent("share")?,
        wait: table.duration("wait"),
    })
}
