"""What the tests of go/python/arrow call."""

import ctypes
import datetime
import decimal
import gc
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

kept = []


class Label(pa.ExtensionType):
    """An extension type that Go does not know."""

    def __init__(self):
        super().__init__(pa.int16(), "gophersnake.label")

    def __arrow_ext_serialize__(self):
        return b"labels"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


pa.register_extension_type(Label())


def arrays():
    """Arrays of every type, each with a null where its type has them."""
    structs = [{"x": 1, "y": "a"}, None, {"x": None, "y": "c"}, {"x": 4, "y": None}, {"x": 5, "y": "ü"}]
    when = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
    out = {
        "null": pa.nulls(5),
        "bool": pa.array([True, None, False, True, False]),
        "float16": pa.array(np.array([1, 2, 3, 4, 5], np.float16)),
        "string": pa.array(["a", None, "", "dé", "eeee\0"]),
        "large_string": pa.array(["a", None, "", "d", "eeee"], pa.large_string()),
        "string_view": pa.array(["a", None, "", "d" * 40, "eeee"], pa.string_view()),
        "binary": pa.array([b"\xff", None, b"", b"d", b"eeee"]),
        "large_binary": pa.array([b"a", None, b"", b"d", b"eeee"], pa.large_binary()),
        "binary_view": pa.array([b"a", None, b"", b"d" * 40, b"e" * 50], pa.binary_view()),
        "fixed_binary": pa.array([b"abc", None, b"def", b"ghi", b"jkl"], pa.binary(3)),
        "decimal128": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-3.5")] * 2, pa.decimal128(10, 2))[:5],
        "decimal256": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-3.5")] * 2, pa.decimal256(50, 2))[:5],
        "date32": pa.array([when.date(), None] * 3, pa.date32())[:5],
        "date64": pa.array([when.date(), None] * 3, pa.date64())[:5],
        "time32": pa.array([datetime.time(1, 2, 3), None] * 3, pa.time32("ms"))[:5],
        "time64": pa.array([datetime.time(1, 2, 3, 4), None] * 3, pa.time64("us"))[:5],
        "month_day_nano": pa.array([(1, 2, 3), None, (-1, 0, 5), (0, 0, 0), (7, 7, 7)], pa.month_day_nano_interval()),
        "list": pa.array([[1, 2], None, [], [None, 4], [5]]),
        "large_list": pa.array([[1, 2], None, [], [None, 4], [5]], pa.large_list(pa.int32())),
        "list_view": pa.array([[1, 2], None, [], [None, 4], [5]], pa.list_view(pa.int32())),
        "fixed_list": pa.array([[1, 2], None, [3, 4], [None, 6], [7, 8]], pa.list_(pa.int32(), 2)),
        "list_of_struct": pa.array([structs[:2], None, [], structs[3:], structs[2:3]]),
        "struct": pa.array(structs),
        "struct_of_struct": pa.array([{"s": s, "l": [s, s]} for s in structs]),
        "map": pa.array([[("a", 1)], None, [], [("b", None), ("c", 3)], [("d", 4)]], pa.map_(pa.string(), pa.int64())),
        "dictionary": pa.array(["a", "b", None, "a", "c"]).dictionary_encode(),
        "ordered": pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0, 1], pa.int8()), ["lo", "hi"], ordered=True),
        "list_of_ordered": pa.ListArray.from_arrays(
            [0, 1, 1, 3, 4, 5],
            pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0, 1], pa.int8()), ["lo", "hi"], ordered=True),
        ),
        "run_end": pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 5], pa.int32()), pa.array(["a", None, "c"])),
        "sparse_union": pa.UnionArray.from_sparse(
            pa.array([0, 1, 0, 1, 1], pa.int8()), [pa.array([1, 2, 3, 4, 5]), pa.array(list("abcde"))]
        ),
        "dense_union": pa.UnionArray.from_dense(
            pa.array([0, 1, 0, 1, 1], pa.int8()),
            pa.array([0, 0, 1, 1, 2], pa.int32()),
            [pa.array([1, 2]), pa.array(list("abc"))],
        ),
        "extension": pa.ExtensionArray.from_storage(Label(), pa.array([1, None, 3, 4, 5], pa.int16())),
        "all_null": pa.array([None] * 5, pa.int64()),
        "empty_struct": pa.array([{}, None, {}, {}, {}], pa.struct([])),
    }
    for name in "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64".split():
        out[name] = pa.array([1, None, 3, 4, 100], getattr(pa, name)())
    for unit in "s", "ms", "us", "ns":
        out[f"timestamp_{unit}"] = pa.array([0, None, 2, 3, -4], pa.int64()).cast(pa.timestamp(unit))
        out[f"zoned_{unit}"] = out[f"timestamp_{unit}"].cast(pa.timestamp(unit, "Europe/Vienna"))
        out[f"duration_{unit}"] = pa.array([0, None, 2, 3, -4], pa.int64()).cast(pa.duration(unit))
    return out


def names():
    return list(arrays())


def array(name, start=0, stop=5):
    return arrays()[name].slice(start, stop - start)


def batch(name, start=0, stop=5):
    """A batch of one column, and one that says where it was cut."""
    column = arrays()[name]
    schema = pa.schema(
        [pa.field("a", column.type, metadata={"unit": "m"}), pa.field("i", pa.int32(), nullable=False)],
        {"origin": "test"},
    )
    return pa.RecordBatch.from_arrays([column, pa.array(range(5), pa.int32())], schema=schema).slice(
        start, stop - start
    )


def addresses(data):
    """Where the buffers of each chunk lie; of what is empty nobody needs them."""
    columns = data.columns if hasattr(data, "columns") else [data]
    chunks = [chunk for column in columns for chunk in getattr(column, "chunks", [column])]
    return [[b.address if b is not None and b.size else 0 for b in chunk.buffers()] for chunk in chunks]


def compare(got, want, same_memory=True):
    """What is different between data that went through Go and what it was."""
    got.validate(full=True)
    if got.__class__ is not want.__class__:
        return f"{got.__class__} instead of {want.__class__}"
    if hasattr(want, "schema"):
        if not got.schema.equals(want.schema, check_metadata=True):
            return f"schema {got.schema} instead of {want.schema}"
    elif not got.type.equals(want.type):
        return f"type {got.type} instead of {want.type}"
    if got.to_pylist() != want.to_pylist():
        return f"{got.to_pylist()} instead of {want.to_pylist()}"
    if same_memory and not {a for c in addresses(got) for a in c} <= {a for c in addresses(want) for a in c} | {0}:
        return f"memory at {addresses(got)} instead of {addresses(want)}"
    return None


def make(expression):
    return eval(expression, globals())


def evaluate(expression, x):
    return eval(expression, globals() | {"x": x})


def describe(data):
    """Class, values and places of what Go gave."""
    data.validate(full=True)
    return type(data).__name__, repr(data.to_pylist()), addresses(data)


def read(reader):
    return [batch.to_pylist() for batch in reader]


def failing(batches):
    """A reader that fails after some batches."""

    def generate():
        for i in range(batches):
            yield pa.record_batch({"x": [i]})
        raise LookupError("no more of this")

    return pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), generate())


class Counting:
    """Gives the integers 0 to 9 to Go, and counts how often Go calls the release callbacks."""

    RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint64))

    def __init__(self, kind, layout):
        self.kind, self.calls = kind, {"schema": 0, "array": 0}
        self.values = (ctypes.c_int64 * 10)(*range(10))
        self.buffers = (ctypes.c_void_p * 2)(None, ctypes.addressof(self.values))
        self.texts = layout.encode(), b"x"
        self.callbacks = [self.RELEASE(self.release_schema), self.RELEASE(self.release_array)]
        ends = [ctypes.cast(callback, ctypes.c_void_p).value for callback in self.callbacks]
        texts = [ctypes.cast(text, ctypes.c_void_p).value for text in self.texts]
        self.schema = (ctypes.c_uint64 * 9)(*texts, 0, 2, 0, 0, 0, ends[0], 7)
        self.array = (ctypes.c_uint64 * 10)(10, 0, 0, 2, 0, ctypes.addressof(self.buffers), 0, 0, ends[1], 7)

    def release_schema(self, schema):
        self.calls["schema"] += 1
        schema[7] = 0

    def release_array(self, array):
        self.calls["array"] += 1
        array[8] = 0

    def __arrow_c_array__(self, requested_schema=None):
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        schema, array = ctypes.addressof(self.schema), ctypes.addressof(self.array)
        return new(schema, b"arrow_schema", None), new(array, b"arrow_array", None)


class Wrong:
    """Gives no capsule."""

    def __arrow_c_stream__(self, requested_schema=None):
        return 1


class Raises:
    """Gives nothing."""

    def __arrow_c_stream__(self, requested_schema=None):
        return 1 / 0


class Swapped:
    """Gives its capsules in the wrong order."""

    def __arrow_c_array__(self, requested_schema=None):
        return pa.array([1]).__arrow_c_array__()[::-1]


class Twice:
    """Gives a capsule that was used."""

    def __arrow_c_stream__(self, requested_schema=None):
        capsule = pa.table({"x": [1]}).__arrow_c_stream__()
        pa.RecordBatchReader._import_from_c_capsule(capsule)
        return capsule


def counting(kind, layout):
    return Counting(kind, layout)


def keep(x):
    kept.append(x)


def let_go():
    kept.clear()
    gc.collect()


def sum_kept():
    return sum(sum(batch.column(0).to_pylist()) for batch in kept)


def allocated():
    return pa.total_allocated_bytes()


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def hide(name):
    """Make a library look as if it was not installed."""
    hidden = {key: sys.modules.pop(key) for key in list(sys.modules) if key.split(".")[0] == name}
    sys.modules[name] = None
    kept.append(hidden)


def unhide(name):
    del sys.modules[name]
    sys.modules.update(kept.pop())
