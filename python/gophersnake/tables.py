"""Describes tables and columns of pandas, polars and pyarrow. The answers are those of ``values.describe``.

A column is taken from what holds its values, since what a library makes of it for NumPy may be rounded, widened or cut.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from gophersnake import times

Answer = tuple[Any, ...]

_NAT = np.iinfo(np.int64).min


def describe(value: Any, wants_items: bool, wants_mapping: bool) -> Answer | None:
    """Describe a table, a column, or a value of its own of one of these libraries; None for anything else."""
    for name, of in (("pandas", _pandas), ("polars", _polars), ("pyarrow", _pyarrow)):
        library = sys.modules.get(name)
        if library is not None:
            try:
                answer = of(library, value, wants_items, wants_mapping)
            except AttributeError:
                if not hasattr(library, "__version__"):
                    continue  # it is being imported
                raise
            if answer is not None:
                return answer
    return None


def _columns(kind: str, labels: Sequence[Any], columns: Sequence[Any]) -> Answer:
    for label in labels:
        if not isinstance(label, str):
            return "other", f"{kind} with the label {label!r}, which is no text: rename it, so that it is a name"
    return "columns", list(zip(labels, columns, strict=True))


def _masked(values: Any, mask: Any, wants_items: bool, dtype: Any) -> Answer:
    """Describe numbers of which some are missing."""
    if not wants_items:
        return "other", f"{dtype} array with {int(mask.sum())} missing values"
    return "masked", values, mask


def _pandas(pandas: Any, value: Any, wants_items: bool, wants_mapping: bool) -> Answer | None:
    if isinstance(value, pandas.DataFrame):
        labels, columns = _index(pandas, value.index)
        # By position: two columns may have one name.
        columns += [value.iloc[:, place].array for place in range(value.shape[1])]
        return _columns("data frame", [*labels, *value.columns], columns)
    if value is pandas.NaT or value is pandas.NA:
        return "value", None
    if isinstance(value, pandas.Timedelta):
        return "value", value.to_timedelta64()
    if isinstance(value, pandas.Timestamp):
        if value.tzinfo is not None and value.year == times.year(value):
            return times.describe_datetime(value, value.nanosecond)
        # As the point in time: it has no zone, or a year that no datetime has.
        return "value", (value.tz_convert(None) if value.tzinfo is not None else value).to_datetime64()
    if isinstance(value, pandas.MultiIndex):
        return "items", list(value)
    if isinstance(value, pandas.Series):
        index = value.index
        if wants_mapping and _index(pandas, index)[0]:
            if not index.is_unique:
                return "other", f"pandas.Series with the label {index[index.duplicated()][0]!r} more than once"
            return "mapping", dict(zip(index, value.array, strict=True))
        value = value.array
    elif isinstance(value, pandas.Index):
        value = value.array
    if not isinstance(value, pandas.api.extensions.ExtensionArray):
        return None
    return _extension(pandas, value, wants_items)


def _index(pandas: Any, index: Any) -> tuple[list[Any], list[Any]]:
    """Return the names and columns of an index that is more than the numbers of the rows."""
    if isinstance(index, pandas.MultiIndex):
        names = [f"level_{level}" if name is None else name for level, name in enumerate(index.names)]
        return names, [index.get_level_values(level).array for level in range(index.nlevels)]
    if index.name is not None:
        return [index.name], [index.array]
    if isinstance(index, pandas.RangeIndex) and index.start == 0 and index.step == 1:
        return [], []
    return ["index"], [index.array]  # as reset_index names it


def _extension(pandas: Any, array: Any, wants_items: bool) -> Answer:
    """Describe an array of pandas, or one that extends it."""
    dtype = array.dtype
    if isinstance(array, pandas.arrays.NumpyExtensionArray) and hasattr(dtype, "numpy_dtype"):
        dtype = dtype.numpy_dtype  # unlike that of an array of texts, which is one as well
    if isinstance(dtype, np.dtype):
        if dtype.kind in "biufcMm":
            return "value", np.asarray(array)  # NaN is a number and NaT a time
        if not wants_items:
            return "other", f"array of dtype {dtype} and shape ({len(array)},)"
        return "items", np.asarray(array, object).tolist()
    if isinstance(dtype, pandas.CategoricalDtype):
        return _categories(array, wants_items)
    if isinstance(dtype, pandas.SparseDtype):
        return _sparse(array)
    if isinstance(dtype, pandas.ArrowDtype):
        return _arrow(sys.modules["pyarrow"], array.__arrow_array__(), wants_items)
    missing = np.asarray(array.isna())
    numbers = getattr(dtype, "numpy_dtype", None)
    if isinstance(numbers, np.dtype) and hasattr(array, "_mask"):
        if not missing.any():
            return "value", array.to_numpy(dtype=numbers)
        return _masked(array.to_numpy(dtype=numbers, na_value=numbers.type(0)), missing, wants_items, dtype)
    # One by one: what the array of another library makes of all of them need not be what they are.
    return "items", [None if gone else item for item, gone in zip(array, missing, strict=True)]


def _categories(array: Any, wants_items: bool) -> Answer:
    """Describe a categorical array: its categories, taken by code."""
    codes, categories = np.asarray(array.codes), array.categories
    missing = codes < 0
    if not missing.any():
        return "value", categories.array.take(codes)
    if isinstance(categories.dtype, np.dtype) and categories.dtype.kind in "biufc" and len(categories):
        numbers = np.asarray(categories).take(np.where(missing, 0, codes))
        return _masked(numbers, missing, wants_items, f"category of {categories.dtype}")
    items = list(categories)
    return "items", [None if code < 0 else items[code] for code in codes]


def _sparse(array: Any) -> Answer:
    """Describe a sparse array: its values, and between them the fill value."""
    values = np.asarray(array.sp_values)
    if len(values) == len(array):
        return "value", values
    fill = np.asarray(array.fill_value)
    with np.errstate(invalid="ignore"):
        dense = np.full(len(array), fill, values.dtype) if np.can_cast(fill.dtype, values.dtype) else None
    if dense is None:
        return "other", f"array of dtype {array.dtype}, whose fill value is no {values.dtype}"
    dense[array.sp_index.to_int_index().indices] = values
    return "value", dense


def _polars(polars: Any, value: Any, wants_items: bool, _: bool) -> Answer | None:
    if isinstance(value, polars.DataFrame):
        columns = value.get_columns()
        return "columns", [(column.name, column) for column in columns]
    if not isinstance(value, polars.Series):
        return None
    dtype = value.dtype
    if dtype == polars.Boolean or ((dtype.is_integer() or dtype.is_float()) and "128" not in str(dtype)):
        if not value.null_count():
            return "value", value.to_numpy()
        filled = value.fill_null(False if dtype == polars.Boolean else 0)
        return _masked(filled.to_numpy(), value.is_null().to_numpy(), wants_items, dtype)
    if dtype == polars.Duration or (dtype == polars.Datetime and dtype.time_zone is None):
        kind = "m" if dtype == polars.Duration else "M"
        return "value", value.to_physical().fill_null(_NAT).to_numpy().view(f"{kind}8[{dtype.time_unit}]")
    if _polars_loses(polars, value):
        return "other", f"polars column of {dtype} with nanoseconds, which Python's times have not"
    return "items", value.to_list()


def _polars_loses(polars: Any, series: Any) -> bool:
    """Whether the Python objects of a column lack nanoseconds that it has."""
    dtype = series.dtype
    if dtype == polars.List or dtype == polars.Array:
        return _polars_loses(polars, series.explode())
    if dtype == polars.Struct:
        return any(_polars_loses(polars, series.struct.field(field.name)) for field in dtype.fields)
    has_nanoseconds = dtype == polars.Time or getattr(dtype, "time_unit", None) == "ns"
    return has_nanoseconds and bool((series.to_physical().drop_nulls() % 1000 != 0).any())


def _pyarrow(arrow: Any, value: Any, wants_items: bool, _: bool) -> Answer | None:
    if isinstance(value, arrow.Table | arrow.RecordBatch):
        return "columns", list(zip(value.schema.names, value.columns, strict=True))
    if isinstance(value, arrow.Array | arrow.ChunkedArray):
        return _arrow(arrow, value, wants_items)
    if isinstance(value, arrow.Scalar):
        if value.is_valid and _arrow_loses(arrow, arrow.repeat(value, 1)):
            return "other", f"pyarrow scalar of {value.type} with nanoseconds, which Python's times have not"
        return "value", value.as_py()
    return None


def _arrow(arrow: Any, array: Any, wants_items: bool) -> Answer:
    """Describe a column of Arrow."""
    types = arrow.types
    if isinstance(array, arrow.ChunkedArray):
        array = arrow.concat_arrays(array.chunks) if array.num_chunks else arrow.array([], array.type)
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        if not array.null_count:
            return "value", array.to_numpy(zero_copy_only=False)
        zero = False if types.is_boolean(kind) else np.float16(0) if types.is_float16(kind) else 0
        numbers = array.fill_null(arrow.scalar(zero, kind)).to_numpy(zero_copy_only=False)
        return _masked(numbers, array.is_null().to_numpy(zero_copy_only=False), wants_items, kind)
    if types.is_duration(kind) or (types.is_timestamp(kind) and kind.tz is None):
        code = "m" if types.is_duration(kind) else "M"
        counts = array.view(arrow.int64()).fill_null(_NAT).to_numpy(zero_copy_only=False)
        return "value", counts.view(f"{code}8[{kind.unit}]")
    if _arrow_loses(arrow, array):
        return "other", f"Arrow column of {kind} with nanoseconds, which Python's times have not"
    return "items", array.to_pylist()


def _arrow_loses(arrow: Any, array: Any) -> bool:
    """Whether the Python objects of a column lack nanoseconds that it has."""
    types, kind = arrow.types, array.type
    if types.is_nested(kind):
        if types.is_struct(kind):
            return any(_arrow_loses(arrow, part) for part in array.flatten())
        if types.is_map(kind):
            return _arrow_loses(arrow, array.keys) or _arrow_loses(arrow, array.items)
        if types.is_union(kind):
            return any(_arrow_loses(arrow, array.field(place)) for place in range(kind.num_fields))
        return _arrow_loses(arrow, array.flatten())
    if types.is_dictionary(kind):
        return _arrow_loses(arrow, array.dictionary)
    if isinstance(kind, arrow.BaseExtensionType):
        return _arrow_loses(arrow, array.storage)
    if not types.is_temporal(kind) or getattr(kind, "unit", "") != "ns":
        return False
    return bool((array.view(arrow.int64()).drop_null().to_numpy(zero_copy_only=False) % 1000 != 0).any())
