// The subjects, for pybind11.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string_view>
#include <utility>

#include "subjects.h"

namespace py = pybind11;

struct Map {
    double r;
    double step(double x) const { return logistic(1, r, x); }
    double swap(double other) { return std::exchange(r, other); }
};

PYBIND11_MODULE(crossings, module)
{
    module.def("increment", &increment);
    module.def("logistic", &logistic);
    py::class_<Map>(module, "Map")
        .def(py::init([](double r) { return Map{r}; }))
        .def("step", &Map::step)
        .def("swap", &Map::swap);
    module.def("length", [](std::string_view text) { return text.size(); });
    module.def(
        "total",
        [](const py::array_t<double, py::array::c_style> &values) {
            return total(values.data(), static_cast<size_t>(values.size()));
        },
        py::arg("values").noconvert());
}
