//! What the proxy costs: Pillion beside a bare reverse proxy and no proxy at all.
//!
//! `cargo bench --bench overhead [-- --quick] [-- --json FILE]` prints a table whose last column
//! is the ratio to the bare proxy, and the same as JSON. This program is also the upstream and the
//! bare proxy: it starts itself again, with the role as the first argument. The client and the
//! upstream share one core and the proxy has the other, so that a proxy's numbers are its own.
//! Processor time is the proxy process's own accounting; rounds go direct, bare, Pillion, and a
//! ratio is taken within a round, so that a noisy neighbour disturbs both sides alike.
//! Never here: a pass or a fail. Numbers are for people to judge, on a machine that they know.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(
    clippy::disallowed_methods,
    reason = "the roles are processes of their own: nothing here is drained"
)]

mod bare;
mod client;
mod machine;
mod measure;
mod process;
mod report;
mod rounds;
mod tls;
mod upstream;

use std::path::PathBuf;

/// What any part of the benchmark may fail with.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// What was asked for on the command line.
struct Options {
    /// One short round instead of five.
    quick: bool,
    /// Where the JSON goes; without it, after the table.
    json: Option<PathBuf>,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // One thread in every role: what is measured is a core's worth.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match arguments[..] {
        ["upstream", certificate, key] => runtime.block_on(upstream::run(certificate, key)),
        ["bare", to, authority] => runtime.block_on(bare::run(to, authority)),
        _ => runtime.block_on(rounds::run(&options(&arguments)?)),
    }
}

fn options(arguments: &[&str]) -> Result<Options, Error> {
    let mut options = Options {
        quick: false,
        json: None,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "--quick" => options.quick = true,
            "--json" => {
                let file = rest.next().ok_or("--json needs a file")?;
                options.json = Some(PathBuf::from(file));
            }
            // Cargo's own.
            "--bench" => {}
            other => return Err(format!("`{other}` is not known: --quick, --json FILE").into()),
        }
    }
    Ok(options)
}
