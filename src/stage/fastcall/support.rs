mod fastcall {
    use ::std::prelude::v1::*;
    use ::pyo3::ffi::{self, Py_ssize_t, PyCFunctionObject, PyObject};
    use ::pyo3::pyclass::boolean_struct::False;
    use ::pyo3::types::PyCFunction;
    use ::pyo3::types::PyAnyMethods;
    use ::pyo3::{Borrowed, Bound, PyAny, PyClass, PyClassGuard, PyClassGuardMut, PyErr, PyResult, Python};
    use ::std::any::Any;
    use ::std::boxed::Box;
    use ::std::convert::TryFrom;
    use ::std::ffi::{CStr, c_int};
    use ::std::mem::transmute;
    use ::std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use ::std::ptr::{null, null_mut};
    use ::std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

    /// How many calls there were of a function.
    pub type Turn = AtomicU32;
    /// What Python called before: the function of PyO3.
    pub type Own = AtomicPtr<()>;
    /// The function that stands in front of it.
    pub type Fast = ffi::PyCFunctionFastWithKeywords;

    /// Makes Python call the fast function in the place of PyO3's, if that is called alike.
    pub fn put(definition: *mut ffi::PyMethodDef, flags: c_int, own: &Own, fast: *const ()) {
        // SAFETY: the definition is null or PyO3's, which is never freed, and may be written to: it is in an UnsafeCell
        // or on the heap. Its flags say what its function is.
        unsafe {
            if !definition.is_null() && (*definition).ml_flags == flags && own.load(Ordering::Acquire).is_null() {
                own.store((*definition).ml_meth.PyCFunctionFastWithKeywords as *mut (), Ordering::Release);
                (*definition).ml_meth.PyCFunctionFastWithKeywords = transmute::<*const (), Fast>(fast);
            }
        }
    }

    /// The definition of a function.
    pub fn of_function(function: &Bound<'_, PyCFunction>) -> *mut ffi::PyMethodDef {
        // SAFETY: a function has this layout.
        unsafe { (*function.as_ptr().cast::<PyCFunctionObject>()).m_ml }
    }

    /// The definition of a method, in the table that PyO3 has made for its class; null where it has none by this name.
    pub fn of_method(class: *mut ffi::PyTypeObject, name: &str) -> *mut ffi::PyMethodDef {
        // SAFETY: the class is PyO3's, its methods refer to that table, and it ends with an empty definition.
        unsafe {
            let mut definition = (*class).tp_methods;
            while !definition.is_null() && !(*definition).ml_name.is_null() {
                if CStr::from_ptr((*definition).ml_name).to_bytes() == name.as_bytes() {
                    return definition;
                }
                definition = definition.add(1);
            }
            null_mut()
        }
    }

    /// Calls PyO3's function with the same arguments.
    #[cold]
    pub unsafe fn hand_on(
        own: &Own,
        slf: *mut PyObject,
        arguments: *const *mut PyObject,
        count: Py_ssize_t,
        keywords: *mut PyObject,
    ) -> *mut PyObject {
        // SAFETY: Python has called with these, and what is stored is a function of this type, before this one was
        // called.
        unsafe {
            let own = transmute::<*mut (), Fast>(own.load(Ordering::Acquire));
            own(slf, arguments, count, keywords)
        }
    }

    /// The same for a method without arguments.
    #[cold]
    pub unsafe fn hand_on_alone(own: &Own, slf: *mut PyObject) -> *mut PyObject {
        // SAFETY: as above.
        unsafe { transmute::<*mut (), ffi::PyCFunction>(own.load(Ordering::Acquire))(slf, null_mut()) }
    }

    /// Is this call one of those that do not go to PyO3? Of so many, one does, so that not too much is put off.
    #[inline(always)]
    pub fn is_ours(turn: &Turn) -> bool {
        let calls = turn.load(Ordering::Relaxed).wrapping_add(1);
        turn.store(calls, Ordering::Relaxed);
        calls % 256 != 0
    }

    /// What a method is called on, unless it is being changed: Python has seen to its class, as PyO3 relies on.
    #[inline(always)]
    pub unsafe fn shared<'a, T: PyClass>(slf: &'a Bound<'_, PyAny>) -> Option<PyClassGuard<'a, T>> {
        // SAFETY: it is of this class, or one that extends it.
        PyClassGuard::try_from(unsafe { slf.cast_unchecked::<T>() }).ok()
    }

    /// The same, to change it.
    #[inline(always)]
    pub unsafe fn exclusive<'a, T: PyClass<Frozen = False>>(slf: &'a Bound<'_, PyAny>) -> Option<PyClassGuardMut<'a, T>> {
        // SAFETY: as above.
        PyClassGuardMut::try_from(unsafe { slf.cast_unchecked::<T>() }).ok()
    }

    /// Raises what PyO3 raises for a panic: its own function, which is in every kernel already, catches it again. It is
    /// not documented, but the version of PyO3 is the one that comes with rsimport.
    #[cold]
    pub fn panicked(payload: Box<dyn Any + Send>) -> *mut PyObject {
        type Payload = Box<dyn Any + Send>;
        unsafe fn again(
            _: Python<'_>,
            payload: *mut PyObject,
            _: *const *mut PyObject,
            _: Py_ssize_t,
            _: *mut PyObject,
        ) -> PyResult<*mut PyObject> {
            // SAFETY: the pointer is the one made below, and this is called once.
            resume_unwind(*unsafe { Box::from_raw(payload.cast::<Payload>()) })
        }
        let payload: *mut Payload = Box::into_raw(Box::new(payload));
        // SAFETY: Python calls functions only from attached threads; the arguments are handed through unread.
        unsafe {
            ::pyo3::impl_::trampoline::get_trampoline_function!(fastcall_cfunction_with_keywords, again)(payload.cast(), null(), 0, null_mut())
        }
    }

    /// Raises an error.
    #[cold]
    pub fn failed(error: PyErr) -> *mut PyObject {
        // SAFETY: Python calls functions only from attached threads.
        error.restore(unsafe { Python::assume_attached() });
        null_mut()
    }

    /// A str.
    pub fn string(text: &str) -> *mut PyObject {
        // SAFETY: whoever calls is attached to Python.
        unsafe { ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as Py_ssize_t) }
    }

    /// The value of a float, and nothing of any other object.
    #[inline(always)]
    pub unsafe fn float(object: *mut PyObject) -> Option<f64> {
        // SAFETY: the caller has an object.
        unsafe { if ffi::PyFloat_CheckExact(object) != 0 { Some(ffi::PyFloat_AS_DOUBLE(object)) } else { None } }
    }

    /// The value of an int that fits.
    #[inline(always)]
    pub unsafe fn int<T: TryFrom<i64>>(object: *mut PyObject) -> Option<T> {
        // SAFETY: the caller has an object; of an int, the value is asked without an exception.
        unsafe {
            if ffi::PyLong_CheckExact(object) == 0 {
                return None;
            }
            let mut overflow = 0;
            let value = ffi::PyLong_AsLongLongAndOverflow(object, &mut overflow);
            if overflow != 0 { None } else { T::try_from(value).ok() }
        }
    }

    /// The value of a bool.
    #[inline(always)]
    pub unsafe fn truth(object: *mut PyObject) -> Option<bool> {
        // SAFETY: there is one object for each of them, and it is always there.
        let (yes, no) = unsafe { (object == ffi::Py_True(), object == ffi::Py_False()) };
        if yes || no { Some(yes) } else { None }
    }

    /// What was read, or `None` of Python.
    #[inline(always)]
    pub unsafe fn optional<T>(object: *mut PyObject, read: Option<T>) -> Option<Option<T>> {
        // SAFETY: it is always there.
        if object == unsafe { ffi::Py_None() } { Some(None) } else { read.map(Some) }
    }

    /// The text of a str.
    #[inline(always)]
    pub unsafe fn text<'a>(object: *mut PyObject) -> Option<&'a str> {
        // SAFETY: the caller has an object, which outlives the call; a str keeps its UTF-8.
        unsafe {
            if ffi::PyUnicode_CheckExact(object) == 0 {
                return None;
            }
            let mut size = 0;
            let start = ffi::PyUnicode_AsUTF8AndSize(object, &mut size);
            if start.is_null() {
                // A lone surrogate: PyO3 is to say it.
                ffi::PyErr_Clear();
                return None;
            }
            Some(::std::str::from_utf8_unchecked(::std::slice::from_raw_parts(start.cast(), size as usize)))
        }
    }
}
