// The subjects, for Boost.Python.
#include <boost/python.hpp>
#include <boost/version.hpp>

#include <string>
#include <utility>

#include "subjects.h"

namespace py = boost::python;

struct Map {
    double r;
    explicit Map(double r) : r(r) {}
    double step(double x) const { return logistic(1, r, x); }
    double swap(double other) { return std::exchange(r, other); }
};

static size_t size(const std::string &text) { return text.size(); }

static double total_of(const py::object &values)
{
    Py_buffer view;
    if (PyObject_GetBuffer(values.ptr(), &view, PyBUF_ND | PyBUF_FORMAT)) {
        py::throw_error_already_set();
    }
    bool fits = view.ndim == 1 && view.format && std::string(view.format) == "d";
    double sum = fits ? total(static_cast<const double *>(view.buf), view.shape[0]) : 0.0;
    PyBuffer_Release(&view);
    if (!fits) {
        PyErr_SetString(PyExc_TypeError, "expected a contiguous vector of float64");
        py::throw_error_already_set();
    }
    return sum;
}

BOOST_PYTHON_MODULE(crossings)
{
    py::def("increment", &increment);
    py::def("logistic", &logistic);
    py::class_<Map>("Map", py::init<double>()).def("step", &Map::step).def("swap", &Map::swap);
    py::def("length", &size);
    py::def("total", &total_of);
    py::scope().attr("version") = BOOST_LIB_VERSION;
}
