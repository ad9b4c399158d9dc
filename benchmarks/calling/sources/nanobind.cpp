// The subjects, for nanobind.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string_view.h>

#include <utility>

#include "subjects.h"

namespace nb = nanobind;

struct Map {
    double r;
    explicit Map(double r) : r(r) {}
    double step(double x) const { return logistic(1, r, x); }
    double swap(double other) { return std::exchange(r, other); }
};

using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

NB_MODULE(crossings, module)
{
    module.def("increment", &increment);
    module.def("logistic", &logistic);
    nb::class_<Map>(module, "Map").def(nb::init<double>()).def("step", &Map::step).def("swap", &Map::swap);
    module.def("length", [](std::string_view text) { return text.size(); });
    module.def(
        "total", [](const Vector &values) { return total(values.data(), values.size()); },
        nb::arg("values").noconvert());
}
