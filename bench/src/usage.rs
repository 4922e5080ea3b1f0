//! Processor time and memory of processes, from `/proc`.

use std::fs;
use std::time::Duration;

/// Linux reports processor time in hundredths of a second to every program (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

struct Stat {
    parent: u32,
    /// Its own, user and system.
    ticks: u64,
    /// Of its children that have ended and were waited for.
    children_ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |n: usize| fields.get(n)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        children_ticks: number(13)? + number(14)?,
    })
}

/// What a process has used so far.
pub fn processor_time(pid: u32) -> Duration {
    stat(pid).map_or(Duration::ZERO, |s| TICK * u32::try_from(s.ticks).unwrap_or(u32::MAX))
}

/// What PostgreSQL as a whole has used so far: every backend that lives or has lived, and its own helpers.
pub fn postgres_time(postmaster: u32) -> Duration {
    let own = stat(postmaster).map_or(0, |s| s.ticks + s.children_ticks);
    let live: u64 = children(postmaster)
        .iter()
        .filter_map(|pid| stat(*pid))
        .map(|s| s.ticks)
        .sum();
    TICK * u32::try_from(own + live).unwrap_or(u32::MAX)
}

pub fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| stat(*pid).is_some_and(|s| s.parent == parent))
        .collect()
}

/// Memory that a process holds, MiB: now, and at its highest.
pub fn resident(pid: u32) -> (f64, f64) {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    (field(&text, "VmRSS:"), field(&text, "VmHWM:"))
}

/// From now on the highest is counted anew.
pub fn forget_highest(pid: u32) -> std::io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

/// Memory of a process with its share of what it has in common with others, MiB.
pub fn proportional(pid: u32) -> f64 {
    field(
        &fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default(),
        "Pss:",
    )
}

fn field(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|l| l.strip_prefix(name));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// What the machine is: processors, memory, kernel.
pub fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:") / 1024.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    format!(
        "{processors} processors, {memory:.0} GiB, Linux {}, load before the run {}",
        kernel.trim(),
        load.join(" ")
    )
}
