from __future__ import annotations

import json

import pytest

from linksfield_async import signing

PARAMS = {"deviceCode": "1", "url": "https://a/b", "area": "欧洲", "empty": "", "none": None}


def test_prints_the_sign_alone_without_an_account(bare):
    result = bare("sign", "-", given=json.dumps(PARAMS))
    assert (result.exit_code, result.stdout) == (0, signing.sign(PARAMS) + "\n")
    assert json.loads(bare("sign", "-", "--json", given=json.dumps(PARAMS)).stdout) == {
        "sign": signing.sign(PARAMS)
    }


def test_reads_a_file_with_a_byte_order_mark(bare, tmp_path):
    path = tmp_path / "params.json"
    path.write_text(json.dumps(PARAMS), encoding="utf-8-sig")
    assert bare("sign", str(path)).stdout == signing.sign(PARAMS) + "\n"


def test_explains(bare):
    result = bare("sign", "-", "--explain", given=json.dumps(PARAMS))
    assert result.exit_code == 0
    assert signing.canonical_text(PARAMS) in result.stdout
    assert "matches" not in result.stdout


def test_a_given_sign_that_matches(bare):
    given = json.dumps(PARAMS | {"sign": signing.sign(PARAMS)})
    result = bare("sign", "-", "--explain", given=given)
    assert result.exit_code == 0
    assert "matches  yes" in result.stdout


def test_a_given_sign_that_differs_says_by_what(bare):
    wrong = signing.sign({name: value for name, value in PARAMS.items() if value})
    given = json.dumps(PARAMS | {"sign": wrong})
    result = bare("sign", "-", "--explain", given=given)
    assert result.exit_code == 3
    assert "empty strings are left out" in result.stdout
    told = json.loads(bare("sign", "-", "--explain", "--json", given=given).stdout)
    assert (told["matches"], told["given"]) == (False, wrong)
    assert bare("sign", "-", given=given).stdout == signing.sign(PARAMS) + "\n"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "one JSON object"),
        ('"text"', "one JSON object"),
        ('{"a": 1.5}', "cannot be signed"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": "1", "a": "2"}', "twice"),
        ('{"a": {"b": 1, "b": 2}}', "twice"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        ('{"a": "\\ud800"}', "lone surrogate"),
        ('{"a": ' + "1" * 5000 + "}", "Exceeds the limit"),
        ("[" * 100_000, "nested too deeply"),
        ('{"sign": 5}', "must be text"),
        (b" " * (4 * 1024 * 1024 + 1), "no parameters of a request"),
    ],
)
def test_bad_input_is_one_line(bare, given, problem):
    result = bare("sign", "-", "--explain", given=given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_file_is_wrong_use(bare):
    result = bare("sign", "/no/such/file")
    assert result.exit_code == 2
    assert "No such file" in result.stderr


def test_control_characters_do_not_reach_the_terminal(bare):
    params = {"a": "\x1b[31m\u202e\x9b"}
    result = bare("sign", "-", "--explain", given=json.dumps(params))
    assert result.exit_code == 0
    assert not set("\x1b\x9b\u202e") & set(result.stdout)


def test_explains_a_captured_request(bare):
    wrong = signing.sign({"partnerCode": "P1", "version": "3.0"})
    capture = (
        "GET /topup_test/mall/bundle-groups/G1/sims"
        f"?partnerCode=P1&version=3.0&sign={wrong} HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    result = bare("sign", "-", "--explain", given=capture)
    assert result.exit_code == 3
    assert "ListGroupSims" in result.stdout
    assert "the parameters of the path are left out (group_id)" in result.stdout
    assert 'from here   3: partnerCode"' in result.stdout
    right = bare("sign", "-", given=capture).stdout.strip()
    assert right == signing.sign({"partnerCode": "P1", "version": "3.0", "group_id": "G1"})


def test_an_access_code_that_entered_the_sign_is_found_and_not_shown(bare):
    text = signing.canonical_text(PARAMS) + "s3cret"
    given = json.dumps(PARAMS | {"sign": signing.digest(text.encode())})
    result = bare("sign", "-", "--explain", given=given, LINKSFIELD_ACCESS_CODE="s3cret")
    assert "the access code takes part, after the text" in result.stdout
    assert "s3cret" not in result.stdout


def test_what_is_no_capture_says_what_is_taken(bare):
    result = bare("sign", "-", "--explain", given="hello")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "give a request as HTTP text" in result.stderr
