import json
from pathlib import Path

import pytest

from linksfield_async.sandbox import Refusal
from linksfield_async.sandbox.signature import check_signature, signature_of, signed_text

VECTORS = json.loads(
    (Path(__file__).parents[1] / "contract" / "vectors.json").read_text(encoding="utf-8")
)["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_genuine_vectors_pass(vector):
    assert signature_of(signed_text(vector["params"])) == vector["sign"]
    check_signature({**vector["params"], "sign": vector["sign"]})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
@pytest.mark.parametrize("change", [{"mark": "1"}, {"mark": None}, {"new": ""}, {"version": "3"}])
def test_any_change_is_noticed(vector, change):
    with pytest.raises(Refusal) as caught:
        check_signature({**vector["params"], "sign": vector["sign"], **change})
    assert caught.value.outcome == "bad sign"


def test_nulls_and_sign_are_left_out_and_empty_texts_kept():
    text = signed_text({"b": "", "a": None, "sign": "x", "ü": "a/b 欧"})
    assert text == '{"b":"","ü":"a/b 欧"}'


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
async def test_genuine_requests_get_past_the_signature(call, vector):
    path = "synPartner/SynOrderInfo" if vector["name"] == "SynOrderInfo" else vector["name"]
    body = json.dumps({**vector["params"], "sign": vector["sign"]}).encode()
    reply = await call.raw("POST", f"/vshop/{path}", data=body)
    assert reply.refusal in ("the card is unknown", "调用订购接口失败")
    assert call.sandbox.requests[-1].outcome == "refused: the card is unknown"


async def test_wrong_sign_is_answered_with_the_text_to_sign(call, card):
    reply = await call("/vshop/singleVerify", deviceCode=card, sign="0" * 32)
    assert reply.refusal == "sign is wrong"
    assert reply.body["data"]["given_sign"] == "0" * 32
    assert reply.body["data"]["expected_text"] == (
        f'{{"deviceCode":"{card}","partnerCode":"P000270","tradeTime":"1645683857572",'
        '"tradeType":"singleVerify","version":"3.0"}'
    )
    again = await call(
        "/vshop/singleVerify", deviceCode=card, sign=reply.body["data"]["expected_sign"]
    )
    assert again.data["deviceCode"] == card
    assert [request.outcome for request in call.sandbox.requests] == ["bad sign", "ok"]


@pytest.mark.parametrize("bad", [..., "", None, 5, ["x"]])
async def test_missing_sign(call, card, bad):
    reply = await call("/vshop/singleVerify", deviceCode=card, sign=bad)
    assert reply.refusal == "sign is missing"


async def test_upper_case_sign_is_wrong(call, card):
    right = call.params("/vshop/singleVerify", {}, {"deviceCode": card})["sign"]
    reply = await call("/vshop/singleVerify", deviceCode=card, sign=right.upper())
    assert reply.refusal == "sign is wrong"


async def test_path_and_query_take_part_as_text(call):
    path = "/topup/mall/bundle-groups/G1003/sims"
    right = await call(path, http="GET", in_path={"group_id": "G1003"})
    assert right.data == {"sim_ids": []}
    left_out = await call(path, http="GET")
    assert '"group_id":"G1003"' in left_out.body["data"]["expected_text"]


async def test_surrogates_in_sign_and_parameters(call, card):
    for parameters in ({"sign": "\ud800"}, {"deviceCode": "\ud800", "sign": "x"}):
        body = json.dumps({"deviceCode": card, **parameters}).encode()
        reply = await call.raw("POST", "/vshop/singleVerify", data=body)
        assert reply.status == 400
