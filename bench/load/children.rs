//! Child processes: pinned, measured, ended with the driver.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::Outcome;

/// Tries to reach a child that has just been started, 20 ms apart.
const TRIES: u32 = 500;

/// Files that a process may have open: a thousand streams are two thousand sockets of the driver.
const OPEN_FILES: &str = "8192";

/// Ticks of a second in `/proc/PID/stat`; the same on every Linux that this runs on.
const TICKS: u64 = 100;

/// Which core a process runs on.
#[derive(Clone, Copy)]
pub enum Core {
    /// The subject under load has it to itself.
    Subject,
    /// The driver and its upstream.
    Driver,
    /// The collector: with the driver, unless there is a third.
    Collector,
}

impl Core {
    fn number(self) -> &'static str {
        match self {
            Self::Subject => "0",
            Self::Collector if Path::new("/sys/devices/system/cpu/cpu2").exists() => "2",
            Self::Driver | Self::Collector => "1",
        }
    }
}

/// A running child, ended when dropped.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts the command, and waits until it takes connections there.
    pub async fn start(command: &mut Command, address: SocketAddr) -> Outcome<Self> {
        let mut running = Self { child: command.stdin(Stdio::null()).spawn()? };
        for _ in 0..TRIES {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(running);
            }
            if let Some(status) = running.child.try_wait()? {
                return Err(format!("{} ended with {status}", command.get_program().display()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("{} does not listen on {address}", command.get_program().display()).into())
    }

    /// Processor time used so far.
    ///
    /// The time of living threads is known to the nanosecond, that of all, also of those that have ended, to 10 ms:
    /// the larger is right to within that.
    pub fn cpu(&self) -> Outcome<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end meanwhile.
            let Ok(schedule) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            let running = schedule.split_whitespace().next().ok_or("schedstat is empty")?;
            nanoseconds += running.parse::<u64>()?;
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("stat names no program")?;
        let mut ticks = 0;
        // User and system time: fields 14 and 15 of proc(5), of which 2 stand before the parenthesis.
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds).max(Duration::from_millis(ticks * 1_000 / TICKS)))
    }

    /// Resident memory in KiB.
    pub fn memory_kib(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs on that core, where `taskset` is there to say so.
pub fn on(core: Core, program: &str) -> Command {
    if !can_pin() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", core.number(), program]);
    command
}

/// Moves this process to the driver's core. False where that cannot be done: figures are then noisier.
pub fn pin_self() -> Outcome<bool> {
    if !can_pin() {
        return Ok(false);
    }
    let id = std::process::id().to_string();
    let core = Core::Driver.number();
    let moved = Command::new("taskset").args(["-acp", core, &id]).stdout(Stdio::null()).status()?;
    Ok(moved.success())
}

/// Lets this process and its children open enough files, where `prlimit` is there to say so. Where that fails, many
/// streams at once will, and say why.
pub fn allow_open_files() {
    let id = std::process::id().to_string();
    let limit = format!("--nofile={OPEN_FILES}:");
    let _ = Command::new("prlimit").args(["--pid", &id, &limit]).stderr(Stdio::null()).status();
}

fn can_pin() -> bool {
    let has_two_cores = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    let is_there =
        Command::new("taskset").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    // After pinning itself the driver sees one core only, but it pins its children by number.
    is_there && (has_two_cores || fs::metadata("/sys/devices/system/cpu/cpu1").is_ok())
}

/// A port that was free a moment ago.
pub fn free_port() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
