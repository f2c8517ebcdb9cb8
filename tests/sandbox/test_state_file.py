"""The file is whole at every moment, and a broken one is left alone."""

import json
import os

import pytest

from linksfield_async import errors
from linksfield_async.sandbox.state_file import StateFile


def test_written_and_read(tmp_path):
    file = StateFile(tmp_path / "state.json")
    assert file.read() is None
    assert file.is_new({"now": 1, "a": 1})
    file.write({"now": 1, "a": 1})
    assert file.read() == {"now": 1, "a": 1}
    assert not file.is_new({"now": 2, "a": 1})
    assert file.is_new({"now": 1, "a": 2})
    assert os.listdir(tmp_path) == ["state.json"]


def test_failed_write_leaves_the_old_one(tmp_path):
    file = StateFile(tmp_path / "state.json")
    file.write({"a": 1})
    with pytest.raises(TypeError):
        file.write({"a": {1, 2}})
    assert file.read() == {"a": 1}
    assert os.listdir(tmp_path) == ["state.json"]
    with pytest.raises(errors.ConfigurationError, match="No such file"):
        StateFile(tmp_path / "none" / "state.json").write({})


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "[" * 100_000, "\ud800"])
def test_broken_files_are_refused_and_stay(tmp_path, text):
    path = tmp_path / "state.json"
    content = text.encode("utf-8", "surrogatepass")
    path.write_bytes(content)
    with pytest.raises(errors.ConfigurationError, match="state"):
        StateFile(path).read()
    assert path.read_bytes() == content


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(errors.ConfigurationError, match="cannot be read as a state"):
        StateFile(tmp_path).read()


def test_only_the_owner_may_read(tmp_path):
    StateFile(tmp_path / "state.json").write(json.loads("{}"))
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0
