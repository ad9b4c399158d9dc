//! Running a compiler: both pipes read at once, progress passed on, Ctrl-C obeyed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::observer::Observer;

/// How often a running build looks whether it is to stop.
const PULSE: Duration = Duration::from_millis(40);
/// How long pipes may stay open after the process has ended: a compiler cache's server can inherit them.
const GRACE: Duration = Duration::from_millis(500);

/// Which pipe a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Runs a command to its end and hands over its lines; a carriage return ends a line too.
pub fn run(
    mut command: Command,
    observer: &mut dyn Observer,
    mut on_line: impl FnMut(&mut dyn Observer, Pipe, &str),
) -> Result<ExitStatus> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // In a group of its own, the compiler and all that it starts can be stopped together.
        command.process_group(0);
    }
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|e| {
        Error::toolchain(format!("{program} cannot be started: {e}")).hint("`rsimport doctor` says what is missing")
    })?;
    let mut running = Running(child);
    let (sender, lines) = channel();
    let out = running.0.stdout.take().map(|pipe| reader(pipe, Pipe::Out, sender.clone()));
    let err = running.0.stderr.take().map(|pipe| reader(pipe, Pipe::Err, sender));
    let mut ended: Option<Instant> = None;
    let mut looked = Instant::now();
    loop {
        if looked.elapsed() >= PULSE {
            looked = Instant::now();
            if observer.interrupted() {
                return Err(Error::interrupted());
            }
        }
        match lines.recv_timeout(PULSE) {
            Ok((pipe, line)) => on_line(observer, pipe, &String::from_utf8_lossy(&line)),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                if ended.is_none() && running.0.try_wait().is_ok_and(|status| status.is_some()) {
                    ended = Some(Instant::now());
                }
                if ended.is_some_and(|at| at.elapsed() > GRACE) {
                    break;
                }
            }
        }
    }
    if ended.is_none() {
        for thread in [out, err].into_iter().flatten() {
            let _ = thread.join();
        }
    }
    running.0.wait().map_err(|e| Error::toolchain(format!("{program} cannot be waited for: {e}")))
}

/// A process that does not outlive its owner's interest.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            #[cfg(unix)]
            if let Some(group) = rustix::process::Pid::from_raw(self.0.id() as i32) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn reader(pipe: impl Read + Send + 'static, which: Pipe, lines: Sender<(Pipe, Vec<u8>)>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(buffer) = pipe.fill_buf() {
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let taken = end.map_or(buffer.len(), |at| at + 1);
            line.extend_from_slice(&buffer[..end.unwrap_or(taken)]);
            pipe.consume(taken);
            if end.is_some() && !line.is_empty() && lines.send((which, std::mem::take(&mut line))).is_err() {
                return;
            }
        }
        if !line.is_empty() {
            let _ = lines.send((which, line));
        }
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::observer::Phase;

    struct Quiet {
        stop_after: Option<Instant>,
    }

    impl Observer for Quiet {
        fn interrupted(&mut self) -> bool {
            self.stop_after.is_some_and(|at| Instant::now() > at)
        }
        fn progress(&mut self, _: Phase, _: usize, _: usize, _: &str) {}
        fn warning(&mut self, _: &str) {}
    }

    #[allow(clippy::disallowed_methods)]
    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn all_lines_of_both_pipes_arrive() {
        let mut seen = Vec::new();
        let script = "for i in 1 2 3; do echo out $i; printf 'err %d\\r' $i >&2; done; printf last";
        let status =
            run(sh(script), &mut Quiet { stop_after: None }, |_, pipe, line| seen.push((pipe, line.to_owned())))
                .unwrap();
        let of =
            |which| seen.iter().filter(|(pipe, _)| *pipe == which).map(|(_, line)| line.as_str()).collect::<Vec<_>>();
        assert!(status.success());
        assert_eq!(of(Pipe::Out), ["out 1", "out 2", "out 3", "last"]);
        assert_eq!(of(Pipe::Err), ["err 1", "err 2", "err 3"]);
    }

    #[test]
    fn an_interrupt_ends_the_whole_group() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let script = format!("(sleep 1; touch {}) & sleep 30", mark.display());
        let mut observer = Quiet { stop_after: Some(Instant::now()) };
        let error = run(sh(&script), &mut observer, |_, _, _| {}).unwrap_err();
        assert_eq!(error.kind, crate::error::Kind::Interrupted);
        thread::sleep(Duration::from_millis(1300));
        assert!(!mark.exists());
    }

    #[test]
    fn a_pipe_that_a_daemon_keeps_open_does_not_hang_the_build() {
        let started = Instant::now();
        run(sh("sleep 20 & echo done"), &mut Quiet { stop_after: None }, |_, _, _| {}).unwrap();
        assert!(started.elapsed() < Duration::from_secs(15));
    }
}
