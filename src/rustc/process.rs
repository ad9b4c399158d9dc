//! Running a compiler: both pipes read at once and within bounds, progress passed on, Ctrl-C obeyed.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Kind, Result};
use crate::limits::{Limit, failed};
use crate::observer::Observer;
use crate::rustc::group::Group;
use crate::rustc::stuck::Watch;

/// How often a running build looks whether it is to stop.
const PULSE: Duration = Duration::from_millis(40);
/// How long pipes may stay open after the process has ended: a compiler cache's server can inherit them.
const GRACE: Duration = Duration::from_millis(500);
/// How long they may be written to then.
const FAREWELL: Duration = Duration::from_secs(10);
/// What a line has beyond this is left out. A message about a line of the user's repeats it, and that may be a table.
const LONGEST_LINE: usize = 32 << 20;
/// So many lines may wait for being read.
const WAITING_LINES: usize = 4;
/// Whoever prints more than this, with so much added for each line, does not mean to end.
const MOST_OUTPUT: usize = 1 << 30;
const OF_A_LINE: usize = 1024;

/// Which pipe a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipe {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What a line that was heard means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There is more to hear.
    Listen,
    /// It says enough: nobody waits for the end.
    Leave,
    /// Nobody wants what the process makes: it is ended.
    Stop,
}

/// How a run came to its end.
#[derive(Debug)]
pub enum Outcome {
    /// The process has ended.
    Ended(ExitStatus),
    /// It had said enough, and ends by itself. With the processor time that it had taken until then, in seconds.
    Enough(Option<f64>),
    /// It was ended because of what it had said.
    Stopped,
}

/// Runs a command to its end and hands over its lines; a carriage return ends a line too.
pub fn run(
    command: Command,
    observer: &mut dyn Observer,
    mut on_line: impl FnMut(&mut dyn Observer, Pipe, &str),
) -> Result<ExitStatus> {
    let outcome = run_until(Group::new(), command, observer, |observer, pipe, line| {
        on_line(observer, pipe, line);
        Next::Listen
    });
    outcome.map(|outcome| match outcome {
        Outcome::Ended(status) => status,
        Outcome::Enough(_) | Outcome::Stopped => unreachable!("everything was listened to"),
    })
}

/// The same in a group that there is, for as long as `on_line` wants to hear more.
pub fn run_until(
    mut group: Group,
    mut command: Command,
    observer: &mut dyn Observer,
    mut on_line: impl FnMut(&mut dyn Observer, Pipe, &str) -> Next,
) -> Result<Outcome> {
    let program = command.get_program().to_string_lossy().into_owned();
    group.admit(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|e| {
        let error = failed(Kind::Toolchain, format_args!("{program} cannot be started"), &e);
        if Limit::of(&e).is_some() { error } else { error.hint("`rsimport doctor` says what is missing") }
    })?;
    group.joined(&child);
    let mut running = Running { child, group };
    let (sender, lines) = sync_channel(WAITING_LINES);
    let no_thread = |e: io::Error| failed(Kind::Toolchain, format_args!("the output of {program} cannot be read"), &e);
    let out = running.child.stdout.take().map(|pipe| reader(pipe, Pipe::Out, sender.clone()));
    let err = running.child.stderr.take().map(|pipe| reader(pipe, Pipe::Err, sender));
    let readers = [out, err].into_iter().flatten().collect::<io::Result<Vec<_>>>().map_err(no_thread)?;
    let mut watch = Watch::of(&running.child);
    let mut ended: Option<Instant> = None;
    let mut looked = Instant::now();
    let mut heard = 0;
    loop {
        if looked.elapsed() >= PULSE {
            looked = Instant::now();
            if observer.interrupted() {
                return Err(Error::interrupted());
            }
            if ended.is_none() && !matches!(running.child.try_wait(), Ok(None)) {
                ended = Some(Instant::now());
            }
            if ended.is_none()
                && let Some(error) = watch.look()
            {
                return Err(error);
            }
        }
        let is_over = |after: Duration| ended.is_some_and(|at| at.elapsed() > after);
        match lines.recv_timeout(PULSE) {
            Ok((pipe, line)) => {
                heard += line.len() + OF_A_LINE;
                if heard > MOST_OUTPUT {
                    return Err(Error::new(Kind::Compile, PRINTS_ON));
                }
                match on_line(observer, pipe, &String::from_utf8_lossy(&line)) {
                    Next::Listen => {}
                    Next::Leave => {
                        let taken = taken(running.child.id());
                        // Where there can be no thread for it, it is ended.
                        let _ = thread::Builder::new().spawn(move || see_off(running, &lines));
                        return Ok(Outcome::Enough(taken));
                    }
                    Next::Stop => return Ok(Outcome::Stopped),
                }
                if is_over(FAREWELL) {
                    break;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if is_over(GRACE) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    if ended.is_none() {
        for thread in readers {
            let _ = thread.join();
        }
    }
    running.group.let_go();
    match running.child.wait() {
        Ok(status) => Ok(Outcome::Ended(status)),
        // Where another thread of the user's waits for all children, nobody else is told how this one ended; what it has
        // printed and made has to tell.
        #[cfg(unix)]
        Err(e) if e.raw_os_error() == Some(libc::ECHILD) => Ok(Outcome::Ended(ExitStatus::default())),
        Err(e) => Err(Error::toolchain(format!("{program} cannot be waited for: {e}"))),
    }
}

/// Waits for a process that has said enough, and reads what it still says.
fn see_off(mut running: Running, lines: &Receiver<(Pipe, Vec<u8>)>) {
    while !matches!(lines.recv_timeout(PULSE), Err(RecvTimeoutError::Disconnected)) {
        if !matches!(running.child.try_wait(), Ok(None)) {
            break;
        }
    }
    let _ = running.child.wait();
    running.group.let_go();
}

/// The processor time, in seconds, of all processes that this one has waited for, and of those that they have waited for;
/// `None` where the system does not say it.
pub fn spent() -> Option<f64> {
    let [_, _, user, system] = times("self")?;
    Some(user + system)
}

/// That of a process that runs, and of those that it has waited for.
fn taken(process: u32) -> Option<f64> {
    Some(times(&process.to_string())?.iter().sum())
}

/// The user's and the system's time of a process, and both of those that it has waited for, in seconds.
fn times(process: &str) -> Option<[f64; 4]> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let said = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of a program, in brackets, may be anything.
    let times = said.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
    let ticks: Vec<f64> = times.map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
    Some(<[f64; 4]>::try_from(ticks).ok()?.map(|ticks| ticks / ticks_per_second()))
}

#[cfg(unix)]
fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

#[cfg(not(unix))]
fn ticks_per_second() -> f64 {
    100.0
}

const PRINTS_ON: &str = "a macro, of the kernel's or of a crate that it uses, prints without end";

/// A process that does not outlive its owner's interest, and neither does what it has started.
struct Running {
    child: Child,
    group: Group,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.group.end();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reader(
    pipe: impl Read + Send + 'static,
    which: Pipe,
    lines: SyncSender<(Pipe, Vec<u8>)>,
) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(buffer) = pipe.fill_buf() {
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let taken = end.map_or(buffer.len(), |at| at + 1);
            let part = &buffer[..end.unwrap_or(taken)];
            line.extend_from_slice(&part[..part.len().min(LONGEST_LINE - line.len())]);
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
    fn who_has_said_enough_ends_by_itself_or_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let script =
            format!("echo enough; for i in 1 2 3 4 5 6 7 8; do echo more; done; sleep 0.2; touch {}", mark.display());
        let until = |next: Next| {
            let on_line = |_: &mut dyn Observer, _, line: &str| if line == "enough" { next } else { Next::Listen };
            run_until(Group::new(), sh(&script), &mut Quiet { stop_after: None }, on_line).unwrap()
        };
        assert!(matches!(until(Next::Stop), Outcome::Stopped));
        thread::sleep(Duration::from_millis(400));
        assert!(!mark.exists());
        let outcome = until(Next::Leave);
        assert!(matches!(outcome, Outcome::Enough(_)) && !mark.exists(), "{outcome:?}");
        let until = Instant::now() + Duration::from_secs(30);
        while !mark.exists() && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        assert!(mark.exists());
    }

    #[test]
    fn a_pipe_that_a_daemon_keeps_open_does_not_hang_the_build() {
        let started = Instant::now();
        run(sh("sleep 20 & echo done"), &mut Quiet { stop_after: None }, |_, _, _| {}).unwrap();
        assert!(started.elapsed() < Duration::from_secs(15));
    }
}
