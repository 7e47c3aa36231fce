"""Makes Python classes of types of the Go program."""

from __future__ import annotations

import inspect
import operator
import reprlib
import sys
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence, Sequence
from typing import Any, TypeAlias

Function: TypeAlias = Callable[..., Any]
Functions: TypeAlias = dict[str, Function]
# Returns what a class of a kind has, given its name, the names of its fields and its special functions.
Maker: TypeAlias = Callable[[str, tuple[str, ...], Functions], dict[str, Any]]

_GoValue: Any = vars(sys.modules["gophersnake"])["GoValue"]

# The classes of numbers and texts, by the numbers that the Go program knows them by.
_numbers: list[Any] = []


def make_class(
    name: str,
    module: str,
    doc: str,
    kind: str,
    fields: list[tuple[str, str, Function, Function]],
    methods: Functions,
    special: Functions,
) -> tuple[type, int]:
    """Return the class of a type, and the number by which `make_number` knows it.

    Args:
        name: its name.
        module: the name of the module that it is to be found in.
        doc: its documentation.
        kind: what stands behind it: "struct", "slice", "array", "map", "func"; or the class that its values are of in
            Python: "int", "float", "complex", "str".
        fields: of each field its name, its documentation and what gets and sets it.
        methods: the methods that the Go program gives it.
        special: what the methods of Python's own are made of.
    """
    base = _BASES.get(kind, _GoValue)
    namespace: dict[str, Any] = {
        "__slots__": (),
        "__module__": module,
        "__qualname__": name,
        "__doc__": doc,
        "__new__": _make_new(special.get("new"), f"{module}.{name}"),
        "__init_subclass__": classmethod(_refuse_subclass),
        **_MAKERS.get(kind, _make_struct)(name, tuple(field[0] for field in fields), special),
        **_make_operators(special),
    }
    if base is _GoValue:
        namespace["__reduce_ex__"] = _refuse_pickle
        if "copy" in special:
            copy = special["copy"]
            namespace["__copy__"] = lambda self: copy(self)
    if "string" in special:
        string = special["string"]
        namespace["__repr__"] = namespace["__str__"] = lambda self: string(self)
    for field, field_doc, get, set in fields:
        namespace[field] = property(get, set, doc=field_doc)
    namespace.update(methods)
    mixins = _MIXINS.get(kind, ())
    cls = type(mixins[0])(name, (base, *mixins), namespace) if mixins else type(name, (base,), namespace)
    _numbers.append(cls)
    return cls, len(_numbers) - 1


def make_number(number: int, value: Any) -> Any:
    """Return a value as an instance of a class of numbers or texts."""
    cls = _numbers[number]
    return cls.__base__.__new__(cls, value)


def _make_new(construct: Function | None, name: str) -> Function:
    def __new__(cls: type, *args: Any, **kwargs: Any) -> Any:
        if construct is None:
            raise TypeError(f"only the Go program makes a {name}")
        made = construct(*args, **kwargs)
        if not isinstance(made, cls):
            raise TypeError(f"the constructor of {name} returned {type(made).__name__}")
        return made

    if construct is not None:
        signature = inspect.signature(construct)
        cls = inspect.Parameter("cls", inspect.Parameter.POSITIONAL_ONLY)
        described: Any = __new__
        described.__signature__ = signature.replace(parameters=[cls, *signature.parameters.values()])
    return __new__


def _refuse_subclass(cls: type) -> None:
    name = cls.__mro__[1].__qualname__
    raise TypeError(f"{name} is a type of the Go program, which cannot be subclassed: let an attribute hold a {name}")


def _refuse_pickle(self: Any, _protocol: int) -> Any:
    raise TypeError(f"cannot pickle or copy a {type(self).__qualname__}: its value lives in the Go program")


def _make_operators(special: Functions) -> dict[str, Any]:
    """Return what the methods for comparing, calling and closing make possible."""
    namespace: dict[str, Any] = {}

    def compare(function: Function, decide: Function) -> Function:
        return lambda self, other: decide(function, self, other) if type(other) is type(self) else NotImplemented

    if "compare" in special:
        three_way = special["compare"]
        for name in ("lt", "le", "gt", "ge"):
            namespace[f"__{name}__"] = compare(three_way, _sign(getattr(operator, name)))
    elif "less" in special:
        less = special["less"]
        namespace["__lt__"] = compare(less, lambda less, a, b: less(a, b))
        namespace["__gt__"] = compare(less, lambda less, a, b: less(b, a))
        namespace["__le__"] = compare(less, lambda less, a, b: not less(b, a))
        namespace["__ge__"] = compare(less, lambda less, a, b: not less(a, b))
    if "equal" in special:
        namespace["__eq__"] = compare(special["equal"], lambda equal, a, b: equal(a, b))
        namespace["__hash__"] = None  # its value may change
    if "hash" in special:
        hashed = special["hash"]
        namespace["__hash__"] = lambda self: hash(hashed(self))
    if "call" in special:
        namespace["__call__"] = special["call"]
    if "close" in special:
        close = special["close"]

        def __exit__(self: Any, *_exception: object) -> None:
            close(self)

        namespace["__enter__"] = lambda self: self
        namespace["__exit__"] = __exit__
    return namespace


def _sign(decide: Function) -> Function:
    return lambda compare, a, b: decide(compare(a, b), 0)


def _make_struct(name: str, fields: tuple[str, ...], special: Functions) -> dict[str, Any]:
    @reprlib.recursive_repr(f"{name}(...)")
    def __repr__(self: Any) -> str:
        return f"{name}({', '.join(f'{field}={getattr(self, field)!r}' for field in fields)})"

    return {"__repr__": __repr__, "__match_args__": fields}


def _make_array(name: str, fields: tuple[str, ...], special: Functions) -> dict[str, Any]:
    length, get, set = special["len"], special["get"], special["set"]

    def __getitem__(self: Any, index: Any) -> Any:
        if isinstance(index, slice):
            return [get(self, i) for i in range(*index.indices(length(self)))]
        return get(self, operator.index(index))

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        if not isinstance(index, slice):
            set(self, operator.index(index), value)
            return
        places, values = range(*index.indices(length(self))), list(value)
        if len(places) != len(values):
            raise ValueError(f"want {len(places)} items for this part of a {name}, got {len(values)}")
        for place, item in zip(places, values, strict=True):
            set(self, place, item)

    def __eq__(self: Any, other: object) -> bool:
        if not isinstance(other, (type(self), list)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=False))

    @reprlib.recursive_repr(f"{name}(...)")
    def __repr__(self: Any) -> str:
        return f"{name}({list(self)!r})"

    return {
        "__len__": lambda self: length(self),
        "__getitem__": __getitem__,
        "__setitem__": __setitem__,
        "__eq__": __eq__,
        "__hash__": None,
        "__repr__": __repr__,
    }


def _make_slice(name: str, fields: tuple[str, ...], special: Functions) -> dict[str, Any]:
    namespace = _make_array(name, fields, special)
    length, item, part = special["len"], namespace["__getitem__"], special["part"]
    delete, insert = special["delete"], special["insert"]

    def __getitem__(self: Any, index: Any) -> Any:
        if isinstance(index, slice):
            places = range(*index.indices(length(self)))
            return part(self, places.start, places.step, len(places))
        return item(self, index)

    def __delitem__(self: Any, index: Any) -> None:
        if isinstance(index, slice):
            for place in sorted(range(*index.indices(length(self))), reverse=True):
                delete(self, place)
        else:
            delete(self, operator.index(index))

    def _insert(self: Any, index: int, value: Any) -> None:
        insert(self, operator.index(index), value)

    def append(self: Any, value: Any) -> None:
        insert(self, sys.maxsize, value)

    return {
        **namespace,
        "__getitem__": __getitem__,
        "__delitem__": __delitem__,
        "insert": _insert,
        "append": append,
    }


def _make_map(name: str, fields: tuple[str, ...], special: Functions) -> dict[str, Any]:
    length, get, delete, keys = special["len"], special["get"], special["delete"], special["keys"]

    def __getitem__(self: Any, key: Any) -> Any:
        value, found = get(self, key)
        if not found:
            raise KeyError(key)
        return value

    def __delitem__(self: Any, key: Any) -> None:
        if not delete(self, key):
            raise KeyError(key)

    def __contains__(self: Any, key: Any) -> bool:
        try:
            return bool(get(self, key)[1])
        except TypeError:  # it is no key of this map
            return False

    def __iter__(self: Any) -> Iterator[Any]:
        return iter(keys(self))

    @reprlib.recursive_repr(f"{name}(...)")
    def __repr__(self: Any) -> str:
        return f"{name}({dict(self)!r})"

    return {
        "__len__": lambda self: length(self),
        "__getitem__": __getitem__,
        "__setitem__": special["set"],
        "__delitem__": __delitem__,
        "__contains__": __contains__,
        "__iter__": __iter__,
        "__repr__": __repr__,
    }


def _make_func(name: str, fields: tuple[str, ...], special: Functions) -> dict[str, Any]:
    return {"__repr__": lambda self: f"<Go function {name}>"}


def _make_number(base: Any) -> Maker:
    def make(name: str, fields: tuple[str, ...], special: Functions) -> dict[str, Any]:
        def plain(self: Any) -> Any:
            return str.__str__(self) if base is str else base(self)

        return {
            "__repr__": lambda self: f"{name}({base.__repr__(self)})",
            "__str__": lambda self: str(plain(self)),
            "__reduce__": lambda self: (base, (plain(self),)),
            "__copy__": lambda self: self,
            "__deepcopy__": lambda self, _memo: self,
        }

    return make


_BASES: dict[str, Any] = {"int": int, "float": float, "complex": complex, "str": str}
_MIXINS: dict[str, tuple[Any, ...]] = {"slice": (MutableSequence,), "array": (Sequence,), "map": (MutableMapping,)}
_MAKERS: dict[str, Maker] = {
    "slice": _make_slice,
    "array": _make_array,
    "map": _make_map,
    "func": _make_func,
    **{kind: _make_number(base) for kind, base in _BASES.items()},
}
