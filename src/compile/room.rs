//! What images take of a process and never give back, as none is ever unloaded, and where the process would end by it.
//!
//! Each image has Rust's standard library in it, which takes a key for thread-local variables from the system as soon as
//! a thread, a panic or PyO3 asks who it is, and aborts if there is none. glibc has 1024 of them, macOS 512, musl 128.

/// So many keys are left to the images that are loaded and have taken none yet, and to everybody else.
const KEYS: usize = 32;
/// So many images fit into the 65530 maps that Linux lets a process have, with room for threads and data.
const IMAGES: usize = 10_000;

/// What there is no room for after so many images, in words.
pub fn lacking(loaded: usize) -> Option<String> {
    if loaded >= IMAGES {
        return Some(format!("a process has room for {IMAGES} libraries in its memory map"));
    }
    (!are_keys_left(KEYS))
        .then(|| "nearly all keys for thread-local variables that the system gives are taken".to_owned())
}

/// Could so many keys be taken now?
#[cfg(unix)]
fn are_keys_left(count: usize) -> bool {
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        let mut key: libc::pthread_key_t = 0;
        #[allow(unsafe_code)]
        // SAFETY: the pointer is to a key of this function's, and there is no destructor.
        if unsafe { libc::pthread_key_create(&mut key, None) } != 0 {
            break;
        }
        keys.push(key);
    }
    let taken = keys.len();
    for key in keys {
        #[allow(unsafe_code)]
        // SAFETY: the key was made above, and nobody else knows it.
        unsafe {
            libc::pthread_key_delete(key);
        }
    }
    taken == count
}

/// On Windows the standard library takes none.
#[cfg(not(unix))]
fn are_keys_left(_: usize) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_room_for_a_while_and_asking_takes_nothing() {
        for _ in 0..2000 {
            assert_eq!(lacking(0), None);
        }
        assert!(lacking(IMAGES).is_some());
    }
}
