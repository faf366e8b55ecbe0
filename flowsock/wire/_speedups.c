/* What `reading.py` and `masking.py` do in Python, in C: optional, and the same to the last byte. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { FINAL_TEXT = 0x81, FINAL_BINARY = 0x82, MASKED = 0x80, SMALL = 125, SHORT = 126, MASK = 4 };

/* Lay a mask over bytes: eight at a time, which compilers make more of, and the rest one by one. */
static void
lay_mask(unsigned char *target, const unsigned char *source, Py_ssize_t size, const unsigned char *mask)
{
    uint32_t half;
    uint64_t whole, word;
    Py_ssize_t index = 0;

    memcpy(&half, mask, MASK);
    whole = (uint64_t)half << 32 | half;
    for (; index + 8 <= size; index += 8) {
        memcpy(&word, source + index, 8);
        word ^= whole;
        memcpy(target + index, &word, 8);
    }
    for (; index < size; index++)
        target[index] = source[index] ^ mask[index % MASK];
}

/* Make bytes of a payload, unmasked if it has a mask. */
static PyObject *
new_payload(const unsigned char *source, Py_ssize_t size, const unsigned char *mask)
{
    PyObject *payload;

    if (mask == NULL)
        return PyBytes_FromStringAndSize((const char *)source, size);
    payload = PyBytes_FromStringAndSize(NULL, size);
    if (payload != NULL)
        lay_mask((unsigned char *)PyBytes_AS_STRING(payload), source, size, mask);
    return payload;
}

/* Make the message of a payload: its text, or bytes. */
static PyObject *
new_message(int first, const unsigned char *source, Py_ssize_t size, const unsigned char *mask)
{
    PyObject *payload, *message;

    if (first == FINAL_TEXT && mask == NULL)
        return PyUnicode_DecodeUTF8((const char *)source, size, NULL);
    payload = new_payload(source, size, mask);
    if (payload == NULL || first == FINAL_BINARY)
        return payload;
    message = PyUnicode_DecodeUTF8(PyBytes_AS_STRING(payload), size, NULL);
    Py_DECREF(payload);
    return message;
}

/* Read a limit that may be None, or beyond all sizes. */
static int
read_limit(PyObject *object, Py_ssize_t *limit)
{
    *limit = PY_SSIZE_T_MAX;
    if (object == Py_None)
        return 0;
    *limit = PyLong_AsSsize_t(object);
    if (*limit == -1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return -1;
        PyErr_Clear();
        *limit = PY_SSIZE_T_MAX;
    }
    return 0;
}

PyDoc_STRVAR(read_messages_doc, "read_messages(data, position, masked, limit, events, /)\n--\n\nSee flowsock.wire.reading.");

static PyObject *
read_messages(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    const unsigned char *data;
    Py_ssize_t position, end, limit;
    int masked;

    if (count != 5 || !PyBytes_Check(args[0]) || !PyList_Check(args[4])) {
        PyErr_SetString(PyExc_TypeError, "read_messages takes bytes, a position, whether they are masked, a limit, and a list");
        return NULL;
    }
    data = (const unsigned char *)PyBytes_AS_STRING(args[0]);
    end = PyBytes_GET_SIZE(args[0]);
    position = PyLong_AsSsize_t(args[1]);
    if (position < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a position is not negative");
        return NULL;
    }
    masked = PyObject_IsTrue(args[2]);
    if (masked < 0 || read_limit(args[3], &limit) < 0)
        return NULL;

    while (end - position >= 2) {
        int first = data[position], second = data[position + 1], failed;
        Py_ssize_t start = position + 2, size = second & 0x7F;
        const unsigned char *mask = NULL;
        PyObject *message;

        if ((first != FINAL_TEXT && first != FINAL_BINARY) || (second >= MASKED) != masked || size > SHORT)
            break;
        if (size == SHORT) {
            if (end - start < 2)
                break;
            size = data[start] << 8 | data[start + 1];
            if (size <= SMALL)
                break;
            start += 2;
        }
        if (masked) {
            mask = data + start;
            start += MASK;
        }
        if (start > end || end - start < size || size > limit)
            break;
        message = new_message(first, data + start, size, mask);
        if (message == NULL)
            return NULL;
        failed = PyList_Append(args[4], message);
        Py_DECREF(message);
        if (failed)
            return NULL;
        position = start + size;
    }
    return PyLong_FromSsize_t(position);
}

PyDoc_STRVAR(apply_mask_doc, "apply_mask(data, mask, /)\n--\n\nSee flowsock.wire.masking.");

static PyObject *
apply_mask(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyBytes_Check(args[0]) || !PyBytes_Check(args[1]) || PyBytes_GET_SIZE(args[1]) != MASK) {
        PyErr_SetString(PyExc_TypeError, "apply_mask takes bytes, and four bytes of mask");
        return NULL;
    }
    return new_payload((const unsigned char *)PyBytes_AS_STRING(args[0]), PyBytes_GET_SIZE(args[0]),
                       (const unsigned char *)PyBytes_AS_STRING(args[1]));
}

static PyMethodDef functions[] = {
    {"apply_mask", (PyCFunction)(void (*)(void))apply_mask, METH_FASTCALL, apply_mask_doc},
    {"read_messages", (PyCFunction)(void (*)(void))read_messages, METH_FASTCALL, read_messages_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef_Slot slots[] = {
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_speedups",
    .m_doc = "What can be done in C for the wire.",
    .m_size = 0,
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
    return PyModuleDef_Init(&definition);
}
