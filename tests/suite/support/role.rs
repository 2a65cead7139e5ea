//! A role of the built binary as a process of its own, with its log.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// The built binary, with no variable of the machine's but `PATH`.
pub fn pactgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pactgate"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// A running role, ended when dropped. A failing test shows its log.
pub struct Role {
    child: Child,
    log: Log,
}

impl Role {
    /// Starts the role, and shows each line of its log to `is_ready` until that says yes.
    pub fn start(mut command: Command, mut is_ready: impl FnMut(&Value) -> bool) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::default();
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        loop {
            let mut line = String::new();
            let read = reader.read_line(&mut line).unwrap();
            assert!(read > 0, "{command:?} ended before it was ready:\n{}", log.text());
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            log.0.lock().unwrap().push(line);
            if is_ready(&told) {
                break;
            }
        }
        log.follow(reader);
        Self { child, log }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the role's log:\n{}", self.log.text());
        }
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// Keeps reading, so that a full pipe never holds the role up.
    fn follow(&self, reader: BufReader<ChildStderr>) {
        let log = self.clone();
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                log.0.lock().unwrap().push(line + "\n");
            }
        });
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().concat()
    }
}
