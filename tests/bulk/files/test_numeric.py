from __future__ import annotations

import array
import subprocess
import sys
from types import SimpleNamespace

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.bulk.files.sources import refuse_numeric_column


class Dtype(SimpleNamespace):
    """A dtype that is shown by its name, as those of numpy, pandas and polars are."""

    def __str__(self):
        return self.name


class Column(list):
    """Stands for a column of a library that is not installed here."""

    def __init__(self, **facts):
        super().__init__(["8985200000000000000"])
        self.__dict__.update(facts)


NUMPY = (
    {"kind": "i", "name": "int64"},
    {"kind": "f", "name": "float64"},
    {"kind": "u", "name": "u8"},
)
TEXTS = (
    {"kind": "O", "name": "object"},
    {"kind": "U", "name": "<U20"},
    {"kind": "O", "name": "string"},
)


def refused(column):
    with pytest.raises(
        ConfigurationError, match="a column of numbers, which lose digits"
    ) as caught:
        refuse_numeric_column(column)
    return "dtype=str" in str(caught.value)


@pytest.mark.parametrize("facts", NUMPY)
def test_b11_numpy_and_pandas(facts):
    assert refused(Column(dtype=Dtype(**facts)))
    assert refused(
        Column(dtype=Dtype(kind="O", name="category", categories=Column(dtype=Dtype(**facts))))
    )


@pytest.mark.parametrize("facts", TEXTS)
def test_b11_columns_of_text_pass(facts):
    refuse_numeric_column(Column(dtype=Dtype(**facts)))
    refuse_numeric_column(
        Column(dtype=Dtype(kind="O", name="category", categories=Column(dtype=Dtype(**facts))))
    )


@pytest.mark.parametrize(
    ("name", "is_numeric"), [("Int64", True), ("Decimal", True), ("String", False)]
)
def test_b11_polars(name, is_numeric):
    column = Column(dtype=Dtype(name=name, is_numeric=lambda: is_numeric))
    if is_numeric:
        assert refused(column)
    else:
        refuse_numeric_column(column)


@pytest.mark.parametrize("code", list("bBhHiIlLqQfd"))
def test_b11_arrays(code):
    assert refused(array.array(code, [1]))


@pytest.mark.parametrize(
    "source",
    [
        [],
        ["x"],
        "x",
        (n for n in "12"),
        {},
        array.array("u", "x"),
        Column(type="int64"),
        Column(dtype=None),
    ],
)
def test_anything_else_passes(source):
    refuse_numeric_column(source)


@pytest.mark.parametrize(
    "kind", ["int64", "uint8", "float16", "float32", "float64", "bool_", "decimal", "dictionary"]
)
def test_b11_arrow_numbers(kind):
    pa = pytest.importorskip("pyarrow")
    kinds = {"decimal": pa.decimal128(20), "dictionary": pa.dictionary(pa.int32(), pa.int64())}
    column = pa.array([], type=kinds.get(kind) or getattr(pa, kind)())
    assert refused(column)
    assert refused(pa.chunked_array([column]))


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
def test_b11_arrow_texts_pass(kind):
    pa = pytest.importorskip("pyarrow")
    kinds = {"dictionary": pa.dictionary(pa.int32(), pa.string())}
    column = pa.array(["x"], type=kinds.get(kind) or getattr(pa, kind)())
    refuse_numeric_column(column)
    refuse_numeric_column(pa.chunked_array([column]))


def test_b11_pandas_for_real():
    pd = pytest.importorskip("pandas")
    for kind in ("int64", "Int64", "float64", "category"):
        assert refused(pd.Series([1, 2]).astype(kind))
        assert refused(pd.Index(pd.Series([1, 2]).astype(kind)))
    for kind in ("object", "string", "category"):
        refuse_numeric_column(pd.Series(["1", "2"]).astype(kind))


def test_b11_polars_for_real():
    pl = pytest.importorskip("polars")
    assert refused(pl.Series([1, 2]))
    assert refused(pl.Series([1.5]))
    refuse_numeric_column(pl.Series(["1"]))


def test_b11_numpy_for_real():
    np = pytest.importorskip("numpy")
    assert refused(np.array([1, 2]))
    refuse_numeric_column(np.array(["1", "2"]))
    refuse_numeric_column(np.array(["1", "2"], dtype=object))


def test_no_other_library_is_loaded():
    code = (
        "import sys; import linksfield_async.bulk.files.sources, linksfield_async.bulk.files.sinks;"
        "print({'pyarrow', 'pandas', 'polars', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
