//! The built program as a process: what it says, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// How long anything that a test waits for may take. Long, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// `pactgate` with an environment of its own.
pub fn pactgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pactgate"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// A running `pactgate`, ended when dropped. A failing test shows what it said.
pub struct Process {
    child: Child,
    said: Said,
}

impl Process {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = Said::default();
        said.follow(child.stdout.take().unwrap());
        said.follow(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// Waits until it has said a line of which `find` makes something.
    pub fn hears<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        self.said.wait(what, find)
    }

    /// Everything it said so far, on both outputs.
    pub fn text(&self) -> String {
        // A wait that failed has poisoned the lock, and its test shows what was said.
        self.said.lines.0.lock().unwrap_or_else(PoisonError::into_inner).said.concat()
    }

    /// The kilobytes of memory that it holds, and the number of files and sockets that it has open.
    pub fn holds(&self) -> (u64, usize) {
        let place = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{place}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes = resident.trim().trim_end_matches(" kB").parse().unwrap();
        (kilobytes, std::fs::read_dir(format!("{place}/fd")).unwrap().count())
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status();
        assert!(sent.unwrap().success(), "signal {name}");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end:\n{}", self.text());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills it: no chance to tidy up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("process {} said:\n{}", self.child.id(), self.text());
        }
    }
}

#[derive(Clone, Default)]
struct Said {
    lines: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Default)]
struct Lines {
    said: Vec<String>,
    /// Outputs that have ended.
    ended: usize,
}

impl Said {
    /// Keeps reading, so that a full pipe never holds the process up.
    fn follow(&self, output: impl Read + Send + 'static) {
        let lines = Arc::clone(&self.lines);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                lines.0.lock().unwrap().said.push(line + "\n");
                lines.1.notify_all();
            }
            lines.0.lock().unwrap().ended += 1;
            lines.1.notify_all();
        });
    }

    fn wait<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        let mut lines = self.lines.0.lock().unwrap();
        loop {
            let told = lines.said.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(found) = told.filter_map(|line| find(&line)).next() {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            let over = left.is_zero() || lines.ended == 2;
            assert!(!over, "it never said {what}:\n{}", lines.said.concat());
            lines = self.lines.1.wait_timeout(lines, left).unwrap().0;
        }
    }
}

/// Waits until something holds, asking again and again; hands over what `look` found.
pub async fn until<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "it never came about: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
