/* What is called, in plain C: whatever a call takes beyond this is the price of the call. */
#ifndef SUBJECTS_H
#define SUBJECTS_H

#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/* For ctypes, which opens a library of these alone, they are compiled with SUBJECT empty. */
#ifndef SUBJECT
#define SUBJECT static inline
#endif

SUBJECT int64_t increment(int64_t i) { return i + 1; }

SUBJECT double logistic(uint64_t steps, double r, double x)
{
    for (uint64_t step = 0; step < steps; ++step) {
        x = r * x * (1.0 - x);
    }
    return x;
}

SUBJECT double total(const double *values, size_t count)
{
    double sum = 0.0;
    for (size_t at = 0; at < count; ++at) {
        sum += values[at];
    }
    return sum;
}

/* For those who pass a str as wide characters. */
SUBJECT size_t length(const wchar_t *text) { return wcslen(text); }

#endif
