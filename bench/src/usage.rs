//! What this process has used, by the kernel's accounts.

use nix::sys::resource::{UsageWho, getrusage};

/// CPU seconds of this process so far, user and system.
#[must_use]
pub fn cpu_secs() -> f64 {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 0.0 };
    let secs = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    secs(usage.user_time()) + secs(usage.system_time())
}

/// The largest resident size of this process so far, in MiB.
#[must_use]
pub fn peak_rss_mib() -> f64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| usage.max_rss() as f64 / 1024.0)
}
