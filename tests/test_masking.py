from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linksfield_async.masking import mask_iccid, mask_keys, mask_secret, mask_text, one_line

ICCID = "89852420180910340793"


def test_an_iccid_shows_its_first_six_and_last_four() -> None:
    assert mask_iccid(ICCID) == "898524…0793"
    assert mask_iccid("12345") == "***"
    assert mask_iccid(None) == "None"


def test_a_list_of_iccids_shows_a_few() -> None:
    assert mask_iccid([ICCID]) == "[898524…0793]"
    assert mask_iccid((ICCID,) * 9) == "[898524…0793, 898524…0793, 898524…0793, … 9 in all]"


@pytest.mark.parametrize(
    "secret",
    [
        ICCID,
        ICCID[:-1] + "F",
        "payer@example.com",
        "payer%40example.com",
        "pi_3L7wXlLnVNBddzsl1phHDiSi_secret_abcDEF0123456789",
        "seti_1GnMUDLnVNBddzslXw7xuoe6_secret_x1",
        "pm_1GnMUDLnVNBddzslXw7xuoe6",
        "sk_live_51Habcdef",
        "ea7a3bba7e345e0b8ca7f7e3b43d6e72",
    ],
)
@pytest.mark.parametrize("around", ["{}", "a {} b", '{{"x":"{}"}}', "?x={}&y=1", "x\n{}\r\n"])
def test_a_text_with_a_secret_does_not_show_it(secret: str, around: str) -> None:
    assert secret not in mask_text(around.format(secret))
    assert secret not in one_line(around.format(secret))


def test_order_numbers_stay_readable() -> None:
    assert mask_text("order 2020061214140465562") == "order 2020061214140465562"


@given(st.text(st.characters()))
def test_one_line_is_one_printable_line_of_at_most_200(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert len(shown) <= 200
    shown.encode()


def test_one_line_escapes_what_could_forge_a_log_line() -> None:
    assert one_line("a\r\nb\x1b[31m") == "a\\r\\nb\\x1b[31m"


def test_a_secret_across_the_cut_is_masked_first() -> None:
    assert ICCID[:12] not in one_line("x" * 190 + " " + ICCID)


def test_mask_secret_and_keys() -> None:
    assert mask_secret("x") == "***"
    assert mask_secret(None) == "None"
    assert mask_keys({"b": ICCID, "a": 1}) == "{a, b}"


def test_groups_and_escapes_are_masked_too() -> None:
    for text in ("8985 2420 1809 1034 0793", "8985-2420-1809-1034-0793", "%2089852420180910340793"):
        assert "0793" not in mask_text(text) or "…0793" in mask_text(text)
        assert "1809" not in mask_text(text)


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 200_000,
        "pi_" * 70_000,
        "a@" * 100_000,
        "89" * 100_000,
        "a.b@" + "c." * 100_000,
        "0" * 200_000,
    ],
    ids=lambda text: text[:6],
)
@pytest.mark.timeout(10)
def test_a_hostile_text_costs_linear_time(hostile: str) -> None:
    """The limit is a hundred times what it takes; quadratic patterns took minutes."""
    assert mask_text(hostile)


def test_the_name_of_a_field_is_no_secret():
    assert mask_text("StripeSubDirectly.pm_id is empty") == "StripeSubDirectly.pm_id is empty"
    assert mask_text("pm_id=pm_1GnMUD, pm_idx") == "pm_id=***, ***"
