"""What Python code does with the module `geo` of the example of bindings: each line is one of docs/BINDINGS.md."""

import inspect


class Square:
    """A shape of Python's."""

    def area(self):
        return 9.0


def run():
    """Use everything; an assertion fails where something is not as the table says."""
    import geo
    from geo import Point, root

    assert root(4) == root(x=4) == 2
    assert geo.divmod(7, 2) == (3, 1)
    assert geo.join("-", "a", "b") == "a-b"

    try:
        root(-1)
    except ValueError as error:
        assert isinstance(error, geo.GoError) and str(error) == "out of range"

    point = Point(X=1, Y=2, Name="p")
    point.X += 1
    point.Scale(factor=2)
    assert repr(point) == "p(4, 4)" and point.Label() == "<p>"

    assert geo.PI > 3.14
    assert geo.GREEN == 1 and str(geo.GREEN) == "green"
    geo.level += 4

    assert geo.cells().shape == (2, 3)
    assert list(geo.transform([1, 4], lambda x: x * 2)) == [2, 8]
    assert geo.index(["a", "b"]) == {"a": 0, "b": 1}

    assert sum(n * n for n in geo.countdown(3)) == 14

    track = geo.Track([point])
    track.append(Point(X=5))
    assert track[0] is point and track[-1].X == 5 and len(track[1:]) == 1
    stock = geo.Stock({"apples": 3})
    stock["pears"] = 1
    assert dict(stock.items()) == {"apples": 3, "pears": 1}
    assert geo.Metres(3.048).Feet() == 10

    assert root.__doc__ == "The square root." and str(inspect.signature(root)) == "(x)"
    assert geo.total([Square(), Square()]) == 18
