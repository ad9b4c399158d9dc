    use ::numpy::ndarray::Dimension;
    use ::numpy::npyffi::{
        _PyArray_GET_ITEM_DATA, NPY_ARRAY_WRITEABLE, NpyTypes, PyArray_Check, PyArray_Descr, PyArrayObject,
        PyDataType_ELSIZE, get_type_object,
    };
    use ::numpy::{Element, PyArray, PyArrayMethods, PyReadonlyArray, PyReadwriteArray};
    use ::pyo3::ffi::PyTypeObject;
    use ::std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
    use ::std::cell::UnsafeCell;
    use ::std::ffi::c_void;
    use ::std::mem::size_of;

    /// NumPy's description of the items of an argument, once an array with it was given.
    pub type Items = AtomicPtr<PyArray_Descr>;

    /// NumPy's own type of arrays, once it is known.
    static ARRAY: AtomicPtr<PyTypeObject> = AtomicPtr::new(null_mut());

    /// What a function takes of an array.
    pub trait Array<'py>: Sized {
        type Item: Element;
        type Shape: Dimension;
        fn of(array: Borrowed<'_, 'py, PyArray<Self::Item, Self::Shape>>) -> Option<Self>;
    }

    impl<'py, T: Element, D: Dimension> Array<'py> for PyReadonlyArray<'py, T, D> {
        type Item = T;
        type Shape = D;
        #[inline(always)]
        fn of(array: Borrowed<'_, 'py, PyArray<T, D>>) -> Option<Self> {
            array.try_readonly().ok()
        }
    }

    impl<'py, T: Element, D: Dimension> Array<'py> for PyReadwriteArray<'py, T, D> {
        type Item = T;
        type Shape = D;
        #[inline(always)]
        fn of(array: Borrowed<'_, 'py, PyArray<T, D>>) -> Option<Self> {
            array.try_readwrite().ok()
        }
    }

    impl<'py, T: Element, D: Dimension> Array<'py> for Bound<'py, PyArray<T, D>> {
        type Item = T;
        type Shape = D;
        #[inline(always)]
        fn of(array: Borrowed<'_, 'py, PyArray<T, D>>) -> Option<Self> {
            Some(array.to_owned())
        }
    }

    /// An array of exactly NumPy's own type, of so many dimensions and with exactly its description of such items:
    /// native bytes, nothing beside them. Of anything else, and of what is borrowed otherwise, nothing: PyO3 is to look
    /// at it.
    #[inline(always)]
    pub unsafe fn array<'py, A: Array<'py>>(py: Python<'py>, object: *mut PyObject, items: &Items) -> Option<A> {
        // SAFETY: the caller has an object, and it is read as an array only if it is one.
        unsafe {
            if ffi::Py_TYPE(object) != ARRAY.load(Ordering::Relaxed) && !is_array(py, object) {
                return None;
            }
            let fields = _PyArray_GET_ITEM_DATA(object.cast::<PyArrayObject>());
            if let Some(dimensions) = A::Shape::NDIM {
                if (*fields).nd as usize != dimensions {
                    return None;
                }
            }
            let found = (*fields).descr;
            if found != items.load(Ordering::Relaxed)
                && !is_of(found, A::Item::get_dtype(py).into_ptr().cast(), items)
            {
                return None;
            }
            A::of(Borrowed::from_ptr(py, object).cast_unchecked())
        }
    }

    /// Asks NumPy for its type of arrays where nobody has yet.
    #[cold]
    fn is_array(py: Python<'_>, object: *mut PyObject) -> bool {
        prepare(py);
        // SAFETY: the caller has an object.
        ARRAY.load(Ordering::Relaxed) == unsafe { ffi::Py_TYPE(object) }
    }

    /// Gives NumPy its registry before rust-numpy does, and asks for its type of arrays. Before it is imported, there
    /// is none.
    #[cold]
    pub fn prepare(py: Python<'_>) {
        if !ARRAY.load(Ordering::Relaxed).is_null() {
            return;
        }
        // SAFETY: the name ends; an interface that was asked for its type is there.
        unsafe {
            let modules = ffi::PyImport_GetModuleDict();
            let is_imported = !ffi::PyDict_GetItemString(modules, "numpy\0".as_ptr().cast()).is_null();
            if is_imported && publish(py).is_some() {
                ARRAY.store(get_type_object(py, NpyTypes::PyArray_Type), Ordering::Relaxed);
            }
        }
    }

    /// Is it the description that is wanted? It is kept then, for good.
    #[cold]
    unsafe fn is_of(found: *mut PyArray_Descr, wanted: *mut PyArray_Descr, items: &Items) -> bool {
        if found == wanted && items.load(Ordering::Relaxed).is_null() {
            items.store(wanted, Ordering::Relaxed);
        } else {
            // SAFETY: the reference is the caller's own.
            unsafe { ffi::Py_DECREF(wanted.cast()) };
        }
        found == wanted
    }

    /// What rust-numpy looks for in NumPy, and every module with it shares: who has borrowed which memory.
    #[repr(C)]
    struct Shared {
        version: u64,
        state: *mut c_void,
        acquire: unsafe extern "C" fn(*mut c_void, *mut PyArrayObject) -> c_int,
        acquire_mut: unsafe extern "C" fn(*mut c_void, *mut PyArrayObject) -> c_int,
        release: unsafe extern "C" fn(*mut c_void, *mut PyArrayObject),
        release_mut: unsafe extern "C" fn(*mut c_void, *mut PyArrayObject),
    }
    // SAFETY: nothing in it is ever changed.
    unsafe impl Sync for Shared {}

    static SHARED: Shared = Shared { version: 1, state: null_mut(), acquire, acquire_mut, release, release_mut };
    const NAME: &str = "_RUST_NUMPY_BORROW_CHECKING_API\0";

    /// A borrow: of what an array shows of the memory of `base`, and whether it may be written to.
    struct Borrow {
        next: *mut Borrow,
        base: *mut PyObject,
        array: *mut PyArrayObject,
        part: Part,
        writes: bool,
    }

    /// From the lowest to the highest address, what the addresses are reckoned from, and what divides their distances.
    #[derive(Clone, Copy, PartialEq)]
    struct Part {
        start: isize,
        end: isize,
        data: isize,
        step: isize,
    }

    /// All borrows, in lists by their bases; as many lists as `last` and one, which is a power of two.
    struct Borrows {
        lists: *mut *mut Borrow,
        last: usize,
        count: usize,
        /// A few that were given back.
        spare: *mut Borrow,
    }
    struct Held(UnsafeCell<Borrows>);
    // SAFETY: whoever calls holds the lock of the interpreter, without which it is not published, and gives it up
    // nowhere here.
    unsafe impl Sync for Held {}

    static BORROWS: Held = Held(UnsafeCell::new(Borrows { lists: null_mut(), last: 0, count: 0, spare: null_mut() }));
    const FEW: usize = 64;

    /// Gives NumPy this registry of borrows, unless it has one, or there is no lock to rely on: objects are larger
    /// then.
    unsafe fn publish(py: Python<'_>) -> Option<()> {
        let module = ::numpy::get_array_module(py).ok()?;
        if size_of::<PyObject>() != 2 * size_of::<usize>() {
            return Some(());
        }
        // SAFETY: the name and what is published are never freed, and nothing has called the functions yet; what is got
        // is given back. A dictionary takes what it has not got at once, so that nobody comes between.
        unsafe {
            let borrows = &mut *BORROWS.0.get();
            if borrows.lists.is_null() {
                (borrows.lists, borrows.last) = (lists(FEW), FEW - 1);
            }
            let name = ffi::PyUnicode_InternFromString(NAME.as_ptr().cast());
            let capsule = ffi::PyCapsule_New((&raw const SHARED).cast_mut().cast(), NAME.as_ptr().cast(), None);
            let kept = match name.is_null() || capsule.is_null() {
                true => null_mut(),
                false => ffi::PyDict_SetDefault(ffi::PyModule_GetDict(module.as_ptr()), name, capsule),
            };
            ffi::Py_XDECREF(name);
            ffi::Py_XDECREF(capsule);
            if kept.is_null() {
                ffi::PyErr_Clear();
                return None;
            }
        }
        Some(())
    }

    unsafe fn lists(count: usize) -> *mut *mut Borrow {
        let layout = layout(count);
        // SAFETY: there is at least one; a null pointer is made of zeros.
        let lists = unsafe { alloc_zeroed(layout) };
        if lists.is_null() {
            handle_alloc_error(layout);
        }
        lists.cast()
    }

    fn layout(count: usize) -> Layout {
        // SAFETY: a pointer's size is a multiple of its alignment, which is a power of two, and there are not so many.
        unsafe { Layout::from_size_align_unchecked(count * size_of::<usize>(), size_of::<usize>()) }
    }

    unsafe extern "C" fn acquire(_: *mut c_void, array: *mut PyArrayObject) -> c_int {
        // SAFETY: the caller's promise: an array, and the interpreter's lock.
        unsafe { add(array, false) }
    }

    unsafe extern "C" fn acquire_mut(_: *mut c_void, array: *mut PyArrayObject) -> c_int {
        // SAFETY: as above.
        unsafe {
            if (*_PyArray_GET_ITEM_DATA(array)).flags & NPY_ARRAY_WRITEABLE == 0 {
                return -2;
            }
            add(array, true)
        }
    }

    unsafe extern "C" fn release(_: *mut c_void, array: *mut PyArrayObject) {
        // SAFETY: as above.
        unsafe { remove(array, false) }
    }

    unsafe extern "C" fn release_mut(_: *mut c_void, array: *mut PyArrayObject) {
        // SAFETY: as above.
        unsafe { remove(array, true) }
    }

    // Both are called by two functions, and compiled with every kernel.
    #[inline(never)]
    unsafe fn add(array: *mut PyArrayObject, writes: bool) -> c_int {
        // SAFETY: the lists hold what was added and not removed, and nobody else reads them meanwhile.
        unsafe {
            let borrows = &mut *BORROWS.0.get();
            let (base, part) = (base_of(array), part_of(array));
            let mut other = *list(borrows, base);
            while !other.is_null() {
                if (*other).base == base && (writes || (*other).writes) && are_one(&part, &(*other).part) {
                    return -1;
                }
                other = (*other).next;
            }
            if borrows.count > 4 * borrows.last {
                grow(borrows);
            }
            borrows.count += 1;
            let list = list(borrows, base);
            let borrow = Borrow { next: *list, base, array, part, writes };
            let spare = borrows.spare;
            if spare.is_null() {
                *list = Box::into_raw(Box::new(borrow));
            } else {
                borrows.spare = (*spare).next;
                *spare = borrow;
                *list = spare;
            }
            0
        }
    }

    /// Removes the borrow that was added with this very array. Its shape may have changed meanwhile.
    #[inline(never)]
    unsafe fn remove(array: *mut PyArrayObject, writes: bool) {
        // SAFETY: as above.
        unsafe {
            let borrows = &mut *BORROWS.0.get();
            let mut link = list(borrows, base_of(array));
            while !(*link).is_null() {
                let borrow = *link;
                if (*borrow).array == array && (*borrow).writes == writes {
                    *link = (*borrow).next;
                    borrows.count -= 1;
                    if borrows.count < FEW {
                        (*borrow).next = borrows.spare;
                        borrows.spare = borrow;
                    } else {
                        drop(Box::from_raw(borrow));
                    }
                    return;
                }
                link = &raw mut (*borrow).next;
            }
        }
    }

    #[inline(always)]
    unsafe fn list(borrows: &Borrows, base: *mut PyObject) -> *mut *mut Borrow {
        // SAFETY: `last` is the last one's number.
        unsafe { borrows.lists.add(((base as usize >> 4) ^ (base as usize >> 13)) & borrows.last) }
    }

    /// Distributes the borrows to more lists.
    #[cold]
    unsafe fn grow(borrows: &mut Borrows) {
        let (old, count) = (borrows.lists, borrows.last + 1);
        // SAFETY: there are so many old lists, and each borrow is in one of them.
        unsafe {
            (borrows.lists, borrows.last) = (lists(8 * count), 8 * count - 1);
            let mut at = 0;
            while at < count {
                let mut borrow = *old.add(at);
                while !borrow.is_null() {
                    let (next, list) = ((*borrow).next, list(borrows, (*borrow).base));
                    (*borrow).next = *list;
                    *list = borrow;
                    borrow = next;
                }
                at += 1;
            }
            dealloc(old.cast(), layout(count));
        }
    }

    /// Whose memory it is, at the end of the chain of arrays that show parts of others.
    unsafe fn base_of(array: *mut PyArrayObject) -> *mut PyObject {
        let mut object = array.cast::<PyObject>();
        // SAFETY: an array holds its base, and the caller an array.
        unsafe {
            loop {
                let base = (*_PyArray_GET_ITEM_DATA(object.cast())).base;
                if base.is_null() {
                    return object;
                }
                if PyArray_Check(Python::assume_attached(), base) == 0 {
                    return base;
                }
                object = base;
            }
        }
    }

    unsafe fn part_of(array: *mut PyArrayObject) -> Part {
        // SAFETY: an array has as many extents and strides as dimensions.
        unsafe {
            let fields = _PyArray_GET_ITEM_DATA(array);
            let data = (*fields).data as isize;
            let mut part = Part { start: data, end: data, data, step: 1 };
            let (mut at, mut is_empty) = (0, (*fields).nd == 0);
            while at < (*fields).nd as usize {
                let (extent, stride) = (*(*fields).dimensions.add(at), *(*fields).strides.add(at));
                let reach = (extent as isize).wrapping_sub(1).wrapping_mul(stride as isize);
                if reach >= 0 {
                    part.end = part.end.wrapping_add(reach);
                } else {
                    part.start = part.start.wrapping_add(reach);
                }
                is_empty |= extent == 0;
                part.step = if at == 0 { stride as isize } else { divisor(part.step, stride as isize) };
                at += 1;
            }
            if is_empty {
                (part.start, part.end) = (data, data);
            } else {
                let size = PyDataType_ELSIZE(Python::assume_attached(), (*fields).descr);
                part.end = part.end.wrapping_add(size as isize);
            }
            part
        }
    }

    fn divisor(a: isize, b: isize) -> isize {
        let (mut a, mut b) = (a.wrapping_abs(), b.wrapping_abs());
        while b != 0 {
            (a, b) = (b, a.wrapping_rem(b));
        }
        a
    }

    /// May two parts of the same memory have an item in common? As rust-numpy reckons: if the distance of the two is a
    /// multiple of what divides all distances between items, though some that do not meet count as well.
    #[cold]
    fn are_one(one: &Part, other: &Part) -> bool {
        if one == other {
            return true;
        }
        if one.start >= other.end || other.start >= one.end {
            return false;
        }
        let step = divisor(one.step, other.step);
        step == 0 || one.data.wrapping_sub(other.data).wrapping_rem(step) == 0
    }
