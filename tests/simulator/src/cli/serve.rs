//! `engage-simulator serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use engage_simulator::{Options, PageUrls, Seed, Simulator};

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// The account as a JSON file; the built-in demo account when absent
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Seed of SIDs and faults: the same requests get the same answers
    #[arg(long, default_value_t = 1)]
    rng_seed: u64,
    /// How many requests the log keeps
    #[arg(long, default_value_t = 20_000)]
    log_capacity: usize,
    /// How many messages are kept
    #[arg(long, default_value_t = 500_000)]
    message_capacity: usize,
    /// Milliseconds between two states of a message
    #[arg(long, default_value_t = 20)]
    message_step_ms: u64,
    /// Milliseconds an interaction channel stays in `setup`
    #[arg(long, default_value_t = 50)]
    interaction_setup_ms: u64,
    /// Send the status callbacks of a message in reverse order
    #[arg(long)]
    reorder_callbacks: bool,
    /// Send every status callback twice
    #[arg(long)]
    duplicate_callbacks: bool,
    /// Host in absolute page URLs: Twilio's, as Twilio answers, or the simulator's
    #[arg(long, value_enum, default_value_t = Host::Twilio)]
    page_urls: Host,
    /// Mutating Conversations actions per second, 30 at Twilio; unlimited when absent
    #[arg(long, value_name = "N")]
    conversation_limit: Option<u32>,
    /// Profile API requests per second and space, 100 at Segment; unlimited when absent
    #[arg(long, value_name = "N")]
    profile_limit: Option<u32>,
    /// Accept text/plain for form bodies, as one of Segment's own senders writes them
    #[arg(long)]
    tolerate_text_plain: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Host {
    Twilio,
    Simulator,
}

/// Serves until interrupted.
pub async fn run(serve: Serve) -> Result<ExitCode, String> {
    let seed = match &serve.seed {
        None => Seed::demo(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Seed::from_json(&text).map_err(|error| format!("{} is not a seed: {error}", path.display()))?
        }
    };
    let options = Options {
        listen: serve.listen,
        seed,
        rng_seed: serve.rng_seed,
        log_capacity: serve.log_capacity,
        message_capacity: serve.message_capacity,
        message_step_ms: serve.message_step_ms,
        interaction_setup_ms: serve.interaction_setup_ms,
        reorder_callbacks: serve.reorder_callbacks,
        duplicate_callbacks: serve.duplicate_callbacks,
        page_urls: match serve.page_urls {
            Host::Twilio => PageUrls::Twilio,
            Host::Simulator => PageUrls::Simulator,
        },
        conversation_limit: serve.conversation_limit,
        profile_limit: serve.profile_limit,
        tolerate_text_plain: serve.tolerate_text_plain,
    };
    let sim = Simulator::start(options).await.map_err(|error| format!("cannot listen on {}: {error}", serve.listen))?;
    println!(
        "ready twilio={} profiles={} tracking={} control={}/_sim",
        sim.twilio_base_url(),
        sim.profiles_base_url(),
        sim.tracking_base_url(),
        sim.base_url()
    );
    interrupted().await.map_err(|error| format!("cannot wait for signals: {error}"))?;
    sim.shutdown();
    Ok(ExitCode::SUCCESS)
}

async fn interrupted() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
