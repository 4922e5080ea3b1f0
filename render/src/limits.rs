use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What a document may use.
pub struct Limits {
    memory: u64,
    cpu_seconds: u64,
}

impl Limits {
    /// Mebibytes of address space, and seconds of processor time a document.
    pub fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut number = |what: &str| {
            let text = args.next().ok_or_else(|| format!("{what} is missing"))?;
            text.parse::<u64>()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| format!("{what}: not {text:?}"))
        };
        Ok(Self {
            memory: number("memory")? << 20,
            cpu_seconds: number("seconds")?,
        })
    }

    /// From here on nothing can be opened, no file written, no more memory had than allowed. What is open stays open.
    pub fn close_doors(&self) -> io::Result<()> {
        for (resource, limit) in [
            (Resource::Nofile, 0),
            (Resource::Fsize, 0),
            (Resource::Core, 0),
            (Resource::As, self.memory),
        ] {
            setrlimit(resource, both(limit))?;
        }
        Ok(())
    }

    /// The system counts a process' time from its start, so the limit moves along with what is used.
    pub fn allow_one_document(&self) -> io::Result<()> {
        let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
        let limit = Rlimit {
            current: Some(used + self.cpu_seconds + 1),
            maximum: None,
        };
        Ok(setrlimit(Resource::Cpu, limit)?)
    }
}

fn both(limit: u64) -> Rlimit {
    Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    }
}
