from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from linksfield_async import OPERATIONS, Account, ConfigurationError, Endpoints
from linksfield_async.account import read_wire_names, wire_name_keys
from linksfield_async.operation import Service


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/x/",
        "http://127.0.0.1:8080",
        "http://[::1]:1",
        "http://localhost:1",
    ],
)
def test_addresses_that_may_be_used(url: str) -> None:
    assert Endpoints.at(url).vshop == url.rstrip("/") + "/vshop"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://10.0.0.1",
        "http://2130706433",
        "http://127.1",
        "http://localhost.",
        "http://localhost.example.com",
        "https://user:pw@example.com",
        "https://user@example.com",
        "https://example.com?x=1",
        "https://example.com#x",
        "https://example.com:port",
        "https://exa mple.com",
        "https://exämple.com",
        "https://example.com\r\nX: y",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://",
        "example.com",
        "",
        None,
    ],
)
def test_addresses_that_may_not(url: Any) -> None:
    with pytest.raises(ConfigurationError):
        Endpoints.at(url)


def test_an_address_with_a_password_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Endpoints.at("https://user:hunter2@example.com")
    assert "hunter2" not in str(caught.value)


def test_production_and_test_are_never_mixed() -> None:
    assert {Endpoints.PRODUCTION.base(s) for s in Service}.isdisjoint(
        Endpoints.TEST.base(s) for s in Service
    )
    assert Account("P1").endpoints == Endpoints.TEST


@pytest.mark.parametrize(
    "settings",
    [
        {"partner_code": ""},
        {"partner_code": " "},
        {"partner_code": 1},
        {"endpoints": "test"},
        {"mark": 0},
        {"accept_language": "en\r\nX: y"},
        {"accept_language": "é"},
        {"accept_language": "\ud800"},
        {"accept_language": "en\x00"},
        {"accept_language": ""},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Account(**({"partner_code": "P1"} | settings))


def test_the_access_code_is_kept_and_not_shown() -> None:
    account = Account("P1", access_code="hunter2")
    assert account.access_code == "hunter2"
    assert "hunter2" not in repr(account)


def test_from_env(tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text('"AddSims.iccids" = "iccidList"\n[ListGroups]\nlist_key = "groupList"\n')
    account = Account.from_env(
        {
            "LINKSFIELD_PARTNER_CODE": "P1",
            "LINKSFIELD_ENDPOINTS": "production",
            "LINKSFIELD_ACCESS_CODE": "secret",
            "LINKSFIELD_LANGUAGE_CODE": "0",
            "LINKSFIELD_WIRE_NAMES": str(names),
        }
    )
    assert account == Account(
        "P1",
        endpoints=Endpoints.PRODUCTION,
        access_code="secret",
        language_code="0",
        wire_names={"AddSims.iccids": "iccidList", "ListGroups.list_key": "groupList"},
    )


def test_from_env_defaults_to_the_test_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKSFIELD_PARTNER_CODE", "P1")
    for name in ("ENDPOINTS", "ACCESS_CODE", "LANGUAGE_CODE", "WIRE_NAMES"):
        monkeypatch.delenv(f"LINKSFIELD_{name}", raising=False)
    assert Account.from_env() == Account("P1")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "LINKSFIELD_PARTNER_CODE"),
        ({"LINKSFIELD_PARTNER_CODE": "P1", "LINKSFIELD_ENDPOINTS": "prod"}, "test or a URL"),
        (
            {"LINKSFIELD_PARTNER_CODE": "P1", "LINKSFIELD_WIRE_NAMES": "/nowhere.toml"},
            "No such file",
        ),
    ],
)
def test_from_env_says_what_is_wrong(environ: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Account.from_env(environ)


@pytest.mark.parametrize("content", [b"= nothing", b"\xff\xfe"])
def test_a_names_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "names.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not TOML"):
        read_wire_names(str(path))


def test_an_unknown_wire_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"'AddSims\.iccid'; nearest: AddSims\.iccids"):
        Account("P1", wire_names={"AddSims.iccid": "x"})


def test_a_documented_wire_name_is_not_replaced() -> None:
    with pytest.raises(ConfigurationError, match=r"SingleVerify\.iccid is documented"):
        Account("P1", wire_names={"SingleVerify.iccid": "x"})


@pytest.mark.parametrize("name", ["", None, 1, "a\nb"])
def test_a_wire_name_must_be_a_name(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="non-empty text"):
        Account("P1", wire_names={"AddSims.iccids": name})


def test_every_assumed_name_of_every_operation_can_be_replaced() -> None:
    keys = dict(wire_name_keys())
    assumed = {key: "renamed" for key, is_assumed in keys.items() if is_assumed}
    assert len(assumed) > 50
    assert dict(Account("P1", wire_names=assumed).wire_names) == assumed
    assert {operation.__name__ for operation in OPERATIONS if operation.list_key} == {
        key.split(".")[0] for key in keys if key.endswith(".list_key")
    }


def test_an_account_can_be_evolved() -> None:
    account = Account("P1", wire_names={"AddSims.iccids": "x"})
    assert attrs.evolve(account, mark="1").wire_names == account.wire_names


def test_lone_surrogates_are_refused_at_once() -> None:
    for settings in ({"partner_code": "P\ud800"}, {"partner_code": "P", "mark": "\udfff"}):
        with pytest.raises(ConfigurationError, match="lone surrogate"):
            Account(**settings)
