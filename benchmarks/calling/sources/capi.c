/* The C API by hand. Each function stands here once for each calling convention, the name says which. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#include <numpy/arrayobject.h>

#include "subjects.h"

typedef struct {
    PyObject_HEAD
    double r;
} Map;

static int counted(Py_ssize_t given, Py_ssize_t expected)
{
    if (given == expected) {
        return 1;
    }
    PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", expected, given);
    return 0;
}

static PyObject *total_of(PyObject *values)
{
    if (PyArray_Check(values)) {
        PyArrayObject *array = (PyArrayObject *)values;
        if (PyArray_TYPE(array) == NPY_DOUBLE && PyArray_NDIM(array) == 1 && PyArray_IS_C_CONTIGUOUS(array)) {
            return PyFloat_FromDouble(total(PyArray_DATA(array), (size_t)PyArray_DIM(array, 0)));
        }
    }
    PyErr_SetString(PyExc_TypeError, "expected a contiguous vector of float64");
    return NULL;
}

static PyObject *swap(PyObject *self, double r)
{
    double before = ((Map *)self)->r;
    ((Map *)self)->r = r;
    return PyFloat_FromDouble(before);
}

/* METH_O: one argument, as it is. */

static PyObject *increment_o(PyObject *module, PyObject *argument)
{
    long long i = PyLong_AsLongLong(argument);
    if (i == -1 && PyErr_Occurred()) {
        return NULL;
    }
    return PyLong_FromLongLong(increment(i));
}

static PyObject *length_o(PyObject *module, PyObject *argument)
{
    Py_ssize_t size;
    if (!PyUnicode_AsUTF8AndSize(argument, &size)) {
        return NULL;
    }
    return PyLong_FromSsize_t(size);
}

static PyObject *total_o(PyObject *module, PyObject *argument) { return total_of(argument); }

static PyObject *step_o(PyObject *self, PyObject *argument)
{
    double x = PyFloat_AsDouble(argument);
    if (x == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    return PyFloat_FromDouble(logistic(1, ((Map *)self)->r, x));
}

static PyObject *swap_o(PyObject *self, PyObject *argument)
{
    double r = PyFloat_AsDouble(argument);
    if (r == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    return swap(self, r);
}

/* METH_FASTCALL: a C array of arguments. */

static PyObject *increment_fastcall(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    return counted(count, 1) ? increment_o(module, arguments[0]) : NULL;
}

static PyObject *logistic_fastcall(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (!counted(count, 3)) {
        return NULL;
    }
    unsigned long long steps = PyLong_AsUnsignedLongLong(arguments[0]);
    if (steps == (unsigned long long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    double r = PyFloat_AsDouble(arguments[1]);
    if (r == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    double x = PyFloat_AsDouble(arguments[2]);
    if (x == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    return PyFloat_FromDouble(logistic(steps, r, x));
}

static PyObject *length_fastcall(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    return counted(count, 1) ? length_o(module, arguments[0]) : NULL;
}

static PyObject *total_fastcall(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    return counted(count, 1) ? total_of(arguments[0]) : NULL;
}

static PyObject *step_fastcall(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    return counted(count, 1) ? step_o(self, arguments[0]) : NULL;
}

static PyObject *swap_fastcall(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
    return counted(count, 1) ? swap_o(self, arguments[0]) : NULL;
}

/* METH_VARARGS: a tuple, which is taken apart by a format. */

static PyObject *increment_varargs(PyObject *module, PyObject *arguments)
{
    long long i;
    return PyArg_ParseTuple(arguments, "L", &i) ? PyLong_FromLongLong(increment(i)) : NULL;
}

static PyObject *logistic_varargs(PyObject *module, PyObject *arguments)
{
    unsigned long long steps;
    double r, x;
    if (!PyArg_ParseTuple(arguments, "Kdd", &steps, &r, &x)) {
        return NULL;
    }
    return PyFloat_FromDouble(logistic(steps, r, x));
}

static PyObject *length_varargs(PyObject *module, PyObject *arguments)
{
    const char *text;
    Py_ssize_t size;
    return PyArg_ParseTuple(arguments, "s#", &text, &size) ? PyLong_FromSsize_t(size) : NULL;
}

static PyObject *total_varargs(PyObject *module, PyObject *arguments)
{
    PyObject *values;
    return PyArg_ParseTuple(arguments, "O", &values) ? total_of(values) : NULL;
}

static PyObject *step_varargs(PyObject *self, PyObject *arguments)
{
    double x;
    return PyArg_ParseTuple(arguments, "d", &x) ? PyFloat_FromDouble(logistic(1, ((Map *)self)->r, x)) : NULL;
}

static PyObject *swap_varargs(PyObject *self, PyObject *arguments)
{
    double r;
    return PyArg_ParseTuple(arguments, "d", &r) ? swap(self, r) : NULL;
}

static PyMethodDef functions[] = {
    {"increment_o", increment_o, METH_O, NULL},
    {"length_o", length_o, METH_O, NULL},
    {"total_o", total_o, METH_O, NULL},
    {"increment_fastcall", (PyCFunction)(void (*)(void))increment_fastcall, METH_FASTCALL, NULL},
    {"logistic_fastcall", (PyCFunction)(void (*)(void))logistic_fastcall, METH_FASTCALL, NULL},
    {"length_fastcall", (PyCFunction)(void (*)(void))length_fastcall, METH_FASTCALL, NULL},
    {"total_fastcall", (PyCFunction)(void (*)(void))total_fastcall, METH_FASTCALL, NULL},
    {"increment_varargs", increment_varargs, METH_VARARGS, NULL},
    {"logistic_varargs", logistic_varargs, METH_VARARGS, NULL},
    {"length_varargs", length_varargs, METH_VARARGS, NULL},
    {"total_varargs", total_varargs, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef methods_o[] = {
    {"step", step_o, METH_O, NULL},
    {"swap", swap_o, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMethodDef methods_fastcall[] = {
    {"step", (PyCFunction)(void (*)(void))step_fastcall, METH_FASTCALL, NULL},
    {"swap", (PyCFunction)(void (*)(void))swap_fastcall, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMethodDef methods_varargs[] = {
    {"step", step_varargs, METH_VARARGS, NULL},
    {"swap", swap_varargs, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int map_init(PyObject *self, PyObject *arguments, PyObject *keywords)
{
    return PyArg_ParseTuple(arguments, "d", &((Map *)self)->r) ? 0 : -1;
}

static int add_map(PyObject *module, const char *name, const char *full_name, PyMethodDef *methods)
{
    PyType_Slot slots[] = {
        {Py_tp_new, PyType_GenericNew},
        {Py_tp_init, map_init},
        {Py_tp_methods, methods},
        {0, NULL},
    };
    PyType_Spec spec = {full_name, sizeof(Map), 0, Py_TPFLAGS_DEFAULT, slots};
    PyObject *type = PyType_FromSpec(&spec);
    return type ? PyModule_AddObject(module, name, type) : -1;
}

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "crossings", NULL, -1, functions};

PyMODINIT_FUNC PyInit_crossings(void)
{
    import_array();
    PyObject *module = PyModule_Create(&definition);
    if (!module || add_map(module, "Map_o", "crossings.Map_o", methods_o)
        || add_map(module, "Map_fastcall", "crossings.Map_fastcall", methods_fastcall)
        || add_map(module, "Map_varargs", "crossings.Map_varargs", methods_varargs)) {
        return NULL;
    }
    return module;
}
