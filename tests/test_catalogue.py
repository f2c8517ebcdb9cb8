from __future__ import annotations

from catalogue import EVERY_COMMIT, covered, summary


def test_entries_are_read_from_the_names_of_tests() -> None:
    names = [
        "tests/x.py::test_w05_a[1]",
        "tests/x.py::test_w05_b",
        "tests/x.py::test_r03_c",
        "test_x",
    ]
    assert covered(names) == {"W05": 2, "R03": 1}


def test_the_summary_names_what_has_no_test() -> None:
    all_but_one = [f"test_{entry.lower()}_x" for entry in EVERY_COMMIT if entry != "A07"]
    assert summary(all_but_one).endswith(
        f"{len(EVERY_COMMIT) - 1} of {len(EVERY_COMMIT)} entries covered; without a test: A07"
    )
