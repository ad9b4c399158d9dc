# cython: language_level=3
"""The subjects, in Cython."""


def increment(long long i):
    return i + 1


def logistic(unsigned long long steps, double r, double x):
    cdef unsigned long long step
    for step in range(steps):
        x = r * x * (1.0 - x)
    return x


cdef class Map:
    cdef double r

    def __init__(self, double r):
        self.r = r

    def step(self, double x):
        return self.r * x * (1.0 - x)

    def swap(self, double r):
        cdef double before = self.r
        self.r = r
        return before


def length(str text not None):
    return len(text)


def total(const double[::1] values not None):
    cdef double sum = 0.0
    cdef Py_ssize_t at
    for at in range(values.shape[0]):
        sum += values[at]
    return sum
