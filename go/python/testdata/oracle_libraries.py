"""Values of the libraries in the table of docs/LIBRARIES.md."""

import datetime
import email.message
import fractions
import sqlite3

import arrow
import attrs
import dateutil.relativedelta
import dateutil.tz
import gmpy2
import mpmath
import msgspec
import multidict
import networkx
import pendulum
import pydantic
import pytz
import shapely
import sqlalchemy
import sympy
import werkzeug.datastructures
import whenever


class Struct(msgspec.Struct):
    a: int
    b: str


@attrs.define
class Attrs:
    a: int
    b: str


class Model(pydantic.BaseModel, extra="allow"):
    a: int


def message():
    """Return an email."""
    made = email.message.EmailMessage()
    made["Subject"] = "hello"
    made.set_content("text")
    return made


def sqlite_row():
    """Return a row of sqlite3 that has names."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    return connection.execute("select 1 as a, 'x' as b").fetchone()


def sqlalchemy_row():
    """Return a row of SQLAlchemy."""
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        return connection.execute(sqlalchemy.text("select 1 as a, 'x' as b")).one()


def value(expression, *a):
    """Return what a Python expression is worth, in which ``a`` are the arguments."""
    return eval(expression, globals() | {"a": a})


__all__ = ["datetime", "dateutil", "fractions"]
