//! Notices that the config folder has changed: by the system's own notice where it gives one, and by looking now and then
//! where it does not (network file systems, mounted volumes).

use std::{path::Path, sync::Arc, time::Duration};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Changes closer together than this are taken in as one.
const QUIET: Duration = Duration::from_millis(100);
/// How often the folder is read without notice.
const RESCAN: Duration = Duration::from_secs(20);

/// A watch on a folder.
pub struct FolderWatch {
    changed: Arc<Notify>,
    _watcher: Option<RecommendedWatcher>,
}

impl FolderWatch {
    /// Watches `folder`; where the system gives no notice, only looks now and then.
    pub fn new(folder: &Path) -> Self {
        let changed = Arc::new(Notify::new());
        let notify = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the folder is an access of its own and must not cause the next reading.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                notify.notify_one();
            }
        })
        .and_then(|mut watcher| watcher.watch(folder, RecursiveMode::Recursive).map(|()| watcher));
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no notice of changed files; the config folder is read every {} s", RESCAN.as_secs());
        }
        Self { changed, _watcher: watcher.ok() }
    }

    /// Waits until the folder may have changed and is quiet again.
    pub async fn changed(&self) {
        if tokio::time::timeout(RESCAN, self.changed.notified()).await.is_ok() {
            while tokio::time::timeout(QUIET, self.changed.notified()).await.is_ok() {}
        }
    }
}
