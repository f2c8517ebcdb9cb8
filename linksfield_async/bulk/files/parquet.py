"""Reads and writes Parquet by means of pyarrow, which is loaded only where it is needed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import IO, Any

from ...errors import ConfigurationError
from ..iccid import unfit
from .numeric import NUMBERS, is_numeric_type
from .tables import Row, named_column

PARQUET = b"PAR1"
"""What every Parquet file begins and ends with."""

GROUP = 20_000
"""Records in a row group that is written."""

_BATCH = 8_192


def pyarrow_modules() -> tuple[Any, Any]:
    """Load pyarrow and pyarrow.parquet; ConfigurationError says how to install them."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigurationError(
            "Parquet needs pyarrow: pip install 'linksfield_async[parquet]'"
        ) from error


class ParquetRows:
    """The rows of one column, from 1; a part of a row group is in memory at a time."""

    def __init__(self, stream: IO[Any], size: int | None, column: str | None, name: str) -> None:
        self._pa, parquet = pyarrow_modules()
        self._name = name
        self._done = 0
        self._size = size
        if not stream.seekable():
            raise ConfigurationError(
                f"{name!r} is Parquet, which is read from its end: name a file, not a pipe"
            )
        stream.seek(0)
        try:
            # Neither mapped nor fetched ahead: a row group may be as large as the file.
            self._file = parquet.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
            schema = self._file.schema_arrow
        except self._broken as error:
            raise ConfigurationError(f"{name!r} is no Parquet file, or not whole") from error
        names = list(schema.names)
        alone = len(names) == 1 and column is None
        field = schema.field(0 if alone else named_column(names, column, name))
        self.header: str = field.name
        self._check(field.type)
        self.total: int = self._file.metadata.num_rows

    @property
    def _broken(self) -> tuple[type[Exception], ...]:
        return (self._pa.ArrowException, OSError, ValueError)

    @property
    def bytes_read(self) -> int:
        """An estimate, by the rows that were given."""
        return (self._size or 0) * self._done // max(self.total, 1)

    def close(self) -> None:
        """Close the reader, not the stream."""
        self._file.close()

    def rows(self) -> Iterator[Row]:
        """Give every row; a null is a row with nothing given."""
        batches = self._file.iter_batches(_BATCH, columns=[self.header], use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except self._broken as error:
                raise ConfigurationError(
                    f"{self._name!r} is damaged after row {self._done}: {type(error).__name__}"
                ) from error
            if batch is None:
                return
            for given in _texts(batch.column(0)):
                self._done += 1
                yield Row(self._done, given or "")

    def _check(self, kind: Any) -> None:
        types = self._pa.types
        value = kind.value_type if types.is_dictionary(kind) else kind
        texts = ("is_string", "is_large_string", "is_string_view")
        if any(getattr(types, test)(value) for test in texts if hasattr(types, test)):
            return
        told = f"{self._name!r}: the column {self.header!r}"
        if is_numeric_type(kind):
            raise ConfigurationError(f"{told} is {NUMBERS}")
        raise ConfigurationError(f"{told} holds {kind}: write the ICCIDs as strings")


def _texts(column: Any) -> Iterator[str | None]:
    try:
        yield from column.to_pylist()
    except UnicodeDecodeError:
        # One bad text must not cost the others of its batch.
        for scalar in column:
            yield _text(scalar)


def _text(scalar: Any) -> str | None:
    try:
        text: str | None = scalar.as_py()
    except UnicodeDecodeError as error:
        return unfit("not UTF-8", bytes(error.object).decode(errors="backslashreplace"))
    return text


class ParquetTable:
    """Collects rows of values and writes them as row groups; readable only once it is closed."""

    def __init__(self, stream: IO[bytes], columns: dict[str, type]) -> None:
        self._pa, parquet = pyarrow_modules()
        kinds = {str: self._pa.string(), int: self._pa.int64()}
        self._schema = self._pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
        self._waiting: list[tuple[Any, ...]] = []
        self._writer = parquet.ParquetWriter(stream, self._schema)

    def add(self, values: tuple[Any, ...]) -> None:
        """Add a row; None is a null."""
        self._waiting.append(values)
        if len(self._waiting) >= GROUP:
            self._write_group()

    def close(self) -> None:
        """Write what waits, and the end that makes the file readable."""
        try:
            if self._waiting:
                self._write_group()
        finally:
            self._writer.close()

    def _write_group(self) -> None:
        waiting, self._waiting = self._waiting, []
        columns = list(zip(*waiting, strict=True))
        try:
            arrays = self._arrays(columns)
        except UnicodeEncodeError:
            arrays = self._arrays([tuple(map(_encodable, column)) for column in columns])
        batch = self._pa.record_batch(arrays, schema=self._schema)
        self._writer.write_batch(batch, row_group_size=GROUP)

    def _arrays(self, columns: list[tuple[Any, ...]]) -> list[Any]:
        return [
            self._pa.array(column, type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]


def _encodable(value: Any) -> Any:
    """Spell out lone surrogates, which a stream of text can hold and no file can."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def columns_of(path: str) -> list[str] | None:
    """Give the names of the columns of a finished file; None where it is not one."""
    pa, parquet = pyarrow_modules()
    try:
        with open(path, "rb") as stream:
            names: list[str] = parquet.read_schema(stream).names
    except (pa.ArrowException, ValueError):
        return None
    return names
