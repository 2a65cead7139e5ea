//! Child processes: pinned, measured, ended with the driver.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Outcome;

/// The core of the subject under load; the driver and its upstream have the other.
const SUBJECT_CORE: &str = "0";
const DRIVER_CORE: &str = "1";

/// Tries to reach a child that has just been started, 20 ms apart.
const TRIES: u32 = 500;

/// A running child, ended when dropped.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts the command on the subject's core, and waits until it takes connections there.
    pub fn start(command: &mut Command, address: SocketAddr) -> Outcome<Self> {
        let mut running = Self { child: command.stdin(Stdio::null()).spawn()? };
        for _ in 0..TRIES {
            if TcpStream::connect(address).is_ok() {
                return Ok(running);
            }
            if let Some(status) = running.child.try_wait()? {
                return Err(format!("{} ended with {status}", command.get_program().display()).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{} does not listen on {address}", command.get_program().display()).into())
    }

    /// Processor time used so far by all of its threads that still live.
    pub fn cpu(&self) -> Outcome<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedule = fs::read_to_string(task?.path().join("schedstat"))?;
            let running = schedule.split_whitespace().next().ok_or("schedstat is empty")?;
            nanoseconds += running.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
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

/// A command that runs on the subject's core, where `taskset` is there to say so.
pub fn pinned(program: &str) -> Command {
    if !can_pin() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", SUBJECT_CORE, program]);
    command
}

/// Moves this process to the driver's core. False where that cannot be done: figures are then noisier.
pub fn pin_self() -> Outcome<bool> {
    if !can_pin() {
        return Ok(false);
    }
    let id = std::process::id().to_string();
    let moved = Command::new("taskset").args(["-acp", DRIVER_CORE, &id]).stdout(Stdio::null()).status()?;
    Ok(moved.success())
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
