//! On Windows the system sees it: a job object whose last handle is closed ends its processes. A process can start another
//! one before it is in the job; compilers take longer than that for their first.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::{Child, Command};

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
};

/// A job that ends with this process.
#[derive(Default)]
pub struct Group(Option<OwnedHandle>);

impl Group {
    /// A job without processes; where none can be made, what is started is not guarded.
    pub fn new() -> Group {
        #[allow(unsafe_code)]
        // SAFETY: no attributes and no name are allowed, and a handle that is not null is ours to close.
        let job = unsafe {
            let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
            (!job.is_null()).then(|| OwnedHandle::from_raw_handle(job))
        };
        let group = Group(job);
        group.ends_with_its_handle(true);
        group
    }

    /// Has a command start in the group: here only what was started can be added to it.
    pub fn admit(&self, _: &mut Command) {}

    /// Adds what was started.
    pub fn joined(&mut self, child: &Child) {
        if let Some(job) = &self.0 {
            #[allow(unsafe_code)]
            // SAFETY: both handles are open.
            unsafe {
                AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle());
            }
        }
    }

    /// Ends all that is in the group.
    pub fn end(&mut self) {
        self.0 = None;
    }

    /// Leaves alone what is still running, because it means to stay, such as the server of a compiler cache.
    pub fn let_go(&mut self) {
        self.ends_with_its_handle(false);
    }

    fn ends_with_its_handle(&self, ends: bool) {
        let Some(job) = &self.0 else { return };
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = if ends { JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE } else { 0 };
        #[allow(unsafe_code)]
        // SAFETY: the handle is open, and the structure is that of this class of information, with its size.
        unsafe {
            SetInformationJobObject(
                job.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val(&limits).try_into().unwrap_or_default(),
            );
        }
    }
}
