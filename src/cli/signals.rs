//! Running a role until the process is asked to end.

use std::future::Future;

use tokio_util::sync::CancellationToken;

/// Runs `role` on a runtime of its own. The first SIGTERM or SIGINT lets what is under way end; the second ends the process
/// at once.
pub fn run_until_asked_to_end<F, E>(role: impl FnOnce(CancellationToken) -> F) -> anyhow::Result<()>
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        tokio::spawn(cancel_on_signal(shutdown.clone()));
        role(shutdown).await
    })?;
    Ok(())
}

async fn cancel_on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    for first in [true, false] {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if !first {
            std::process::exit(130);
        }
        shutdown.cancel();
    }
}
