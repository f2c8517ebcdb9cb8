from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from linksfield_async import ConfigurationError
from linksfield_async.groups import CardChange, GroupReport

CHANGES = (
    CardChange("8985200000000000001", "add", "done", "", "REQ1", True),
    CardChange("8985200000000000002", "add", "refused", "=no contract", "REQ1", False),
    CardChange("8985200000000000003", "add", "unknown", 'a "lost"\nanswer'),
)
EXTRA = (CardChange("8985200000000000009", "add", "extra", "", "REQ1"),)
REPORT = GroupReport(group_id="G1", change="add", changes=CHANGES, extra=EXTRA)


def test_counts_and_what_failed() -> None:
    assert REPORT.counts == {"done": 1, "refused": 1, "unknown": 1, "not_sent": 0, "extra": 1}
    assert not REPORT.is_done
    assert REPORT.failed == (CHANGES[1].iccid, CHANGES[2].iccid)
    assert GroupReport(group_id="G1", change="add", changes=CHANGES[:1]).is_done
    assert not GroupReport(group_id="G", change="add", changes=(), unaccounted=1).is_done
    assert "8985200000000000002" not in repr(CHANGES[1])


def test_as_csv_safe_for_spreadsheets(tmp_path: Path) -> None:
    REPORT.write(tmp_path / "all.csv")
    with open(tmp_path / "all.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == ["done", "refused", "unknown", "extra"]
    assert rows[1]["reason"] == "'=no contract"
    assert rows[2]["reason"] == 'a "lost"\nanswer'
    assert [row["is_member"] for row in rows] == ["true", "false", "", ""]


def test_as_json_lines_and_the_failed_only(tmp_path: Path) -> None:
    REPORT.write(tmp_path / "failed.jsonl", only_failed=True)
    rows = [json.loads(line) for line in (tmp_path / "failed.jsonl").read_text().splitlines()]
    assert [row["verdict"] for row in rows] == ["refused", "unknown", "extra"]
    assert rows[0]["iccid"] == CHANGES[1].iccid


def test_files_are_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match="is there already"):
        REPORT.write(path)
    assert path.read_text() == "mine"
    REPORT.write(path, force=True)
    assert path.read_text().startswith("iccid,")
    with pytest.raises(ConfigurationError, match=r"\.csv or \.jsonl"):
        REPORT.write(tmp_path / "all.xlsx")
    with pytest.raises(ConfigurationError, match="cannot write"):
        REPORT.write(tmp_path / "no" / "all.csv")
