from __future__ import annotations

import copy
import json
import pickle

import pytest

import linksfield_async
from linksfield_async import errors
from linksfield_async.errors import LinksfieldError
from linksfield_async.operations import SingleVerify

ICCID = "89852420180910340793"


def kinds(kind: type[LinksfieldError] = LinksfieldError) -> list[type[LinksfieldError]]:
    return [kind, *(inner for sub in kind.__subclasses__() for inner in kinds(sub))]


ALL = pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
UNSENT = {
    *("ConfigurationError", "InvalidInput", "ClientClosed", "JournalRefused"),
    "CheckoutRefused",
    *("NotSent", "ConnectFailed", "TLSFailed", "DeadlineExceeded", "RateLimited"),
}
FALSE = UNSENT | {"Refused", "Throttled"}


@ALL
def test_every_error_is_public_and_in_the_tree_at_the_head(kind: type[LinksfieldError]) -> None:
    assert getattr(linksfield_async, kind.__name__) is kind
    assert kind.__name__ in linksfield_async.__all__
    assert kind.__name__ in (errors.__doc__ or "")


@ALL
def test_what_each_lets_conclude(kind: type[LinksfieldError]) -> None:
    assert kind("x").carried_out is (False if kind.__name__ in FALSE else None)


def full(kind: type[LinksfieldError]) -> LinksfieldError:
    return kind(
        "it failed",
        operation=SingleVerify(iccid=ICCID),
        attempts=2,
        elapsed=1.5,
        status=503,
        code="F",
        data={"message": "m", "data": ICCID},
        retry_after=2.0,
    )


@ALL
def test_every_error_survives_pickle_and_copy(kind: type[LinksfieldError]) -> None:
    error = full(kind)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is kind
        assert str(other) == str(error)
        assert other.facts() == error.facts()


@ALL
def test_the_json_form_holds_the_facts_and_no_secret(kind: type[LinksfieldError]) -> None:
    text = json.dumps(full(kind).as_json())
    assert ICCID not in text
    told = json.loads(text)
    assert told["error"] == kind.__name__
    assert told["message"] == "it failed"
    assert told["operation"] == "SingleVerify"
    assert (told["attempts"], told["elapsed"], told["status"], told["code"]) == (2, 1.5, 503, "F")
    assert told["retry_after"] == 2.0


def test_the_text_is_one_masked_line() -> None:
    error = LinksfieldError(f"card {ICCID}\r\n\x1b[31m of payer@example.com " + "x" * 1000)
    assert str(error).isprintable()
    assert len(str(error)) <= 200
    assert ICCID not in str(error)
    assert "payer@" not in str(error)
    assert ICCID not in repr(full(LinksfieldError))


def test_a_refusal_to_be_reconciled_concludes_nothing() -> None:
    error = errors.Refused("no", needs_reconciliation=True)
    assert error.carried_out is None
    assert pickle.loads(pickle.dumps(error)).carried_out is None


def test_a_wrong_setting_is_a_value_error_too() -> None:
    assert issubclass(errors.ConfigurationError, ValueError)
