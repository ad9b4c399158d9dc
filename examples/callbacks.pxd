# What Cython needs to know for `from callbacks cimport id_name`. rsimport's capsules know no const.
cdef char *id_name(int id) noexcept nogil
