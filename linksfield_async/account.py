"""Who calls and where to: Account and Endpoints; nothing here does I/O but reading settings."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import attrs

from .errors import ConfigurationError
from .masking import mask_secret
from .operation import ASSUMED, Service, result_model, wire_fields
from .operations import OPERATIONS

_HOST = "https://wx.linksfield.net"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(url: str) -> str:
    """Check the address of a service; give it back without a slash at its end."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigurationError("an endpoint must be an ASCII URL without spaces")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"endpoint {url!r} is not a URL: {error}") from error
    if parts.scheme not in ("https", "http") or not host:
        raise ConfigurationError(f"endpoint {url!r} must start with https://")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"endpoint {url!r}: plain http only to this machine, else use https"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("an endpoint must not hold a user name or password")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ConfigurationError(f"endpoint {url!r} must not hold a query or a fragment")
    return url.rstrip("/")


@attrs.frozen(kw_only=True)
class Endpoints:
    """The addresses of the three services; PRODUCTION and TEST differ by path only."""

    PRODUCTION: ClassVar[Endpoints]
    TEST: ClassVar[Endpoints]

    vshop: str = attrs.field(converter=_base_url)
    payment: str = attrs.field(converter=_base_url)
    topup: str = attrs.field(converter=_base_url)

    @classmethod
    def at(cls, url: str) -> Endpoints:
        """Put all three services under one address, e.g. that of a sandbox."""
        base = _base_url(url)
        return cls(vshop=f"{base}/vshop", payment=f"{base}/payment", topup=f"{base}/topup")

    @classmethod
    def named(cls, name: str) -> Endpoints:
        """Read "production", "test" or the address of something that plays all three."""
        known = {"production": cls.PRODUCTION, "test": cls.TEST}
        if name.strip().lower() in known:
            return known[name.strip().lower()]
        if "://" not in name:
            raise ConfigurationError(f"endpoints must be production, test or a URL, not {name!r}")
        return cls.at(name)

    def base(self, service: Service) -> str:
        """Give the address of one service, without a slash at its end."""
        return {
            Service.VSHOP: self.vshop,
            Service.PAYMENT: self.payment,
            Service.TOPUP: self.topup,
        }[service]


# Evidence: seed. Test stands under vshop_uat, payment_uat and, oddly, topup_test.
Endpoints.PRODUCTION = Endpoints(
    vshop=f"{_HOST}/vshop", payment=f"{_HOST}/payment", topup=f"{_HOST}/topup"
)
Endpoints.TEST = Endpoints(
    vshop=f"{_HOST}/vshop_uat", payment=f"{_HOST}/payment_uat", topup=f"{_HOST}/topup_test"
)


def wire_name_keys() -> Iterator[tuple[str, bool]]:
    """List every name `wire_names` may speak of, and whether it is assumed.

    `AddSims.iccids` is a parameter, `ServicePlan.pay_amount` a field of a result,
    `ListGroups.list_key` and `ListGroupSims.entry_key` the members that hold a list.
    """
    seen: set[type[Any]] = set()

    def of_model(model: type[Any] | None) -> Iterator[tuple[str, bool]]:
        if model is None or model in seen:
            return
        seen.add(model)
        for field in wire_fields(model):
            yield f"{model.__name__}.{field.python}", field.wire.evidence is ASSUMED
        for attribute in attrs.fields(attrs.resolve_types(model)):
            yield from of_model(result_model(attribute.type))

    for operation in OPERATIONS:
        for field in wire_fields(operation):
            yield f"{operation.__name__}.{field.python}", field.wire.evidence is ASSUMED
        if operation.list_key is not None:
            yield f"{operation.__name__}.list_key", True
        if operation.entry_key is not None:
            yield f"{operation.__name__}.entry_key", True
        yield from of_model(result_model(operation.result))


def _checked_wire_names(
    given: Mapping[str, str] | tuple[tuple[str, str], ...] | None,
) -> tuple[tuple[str, str], ...]:
    given = dict(given or {})
    if not given:
        return ()
    import difflib  # noqa: PLC0415  # needed by the few who replace names

    known = dict(wire_name_keys())
    for key, name in given.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=3, cutoff=0.5)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise ConfigurationError(f"wire_names: no operation declares {key!r}{hint}")
        if not known[key]:
            raise ConfigurationError(
                f"wire_names: {key} is documented; only assumed names can be replaced"
            )
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ConfigurationError(f"wire_names: the name for {key} must be a non-empty text")
    return tuple(sorted(given.items()))


def read_wire_names(path: str) -> dict[str, str]:
    """Read replaced names from a TOML file: `"AddSims.iccids" = "x"` or tables `[AddSims]`."""
    import tomllib  # noqa: PLC0415  # needed by the few who replace names

    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"wire names file {path!r}: {reason}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"wire names file {path!r} is not TOML: {error}") from error
    names: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            names.update({f"{key}.{field}": name for field, name in value.items()})
        else:
            names[key] = value
    return names


def _required_text(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"Account.{attribute.name} must be text and not empty")
    _optional_text(_, attribute, value)


def _header_text(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise ConfigurationError(f"Account.{attribute.name} must be printable ASCII text")


def _optional_text(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(
            f"Account.{attribute.name} must be text, not {type(value).__name__}"
        )
    if value is not None and any("\ud800" <= char <= "\udfff" for char in value):
        raise ConfigurationError(f"Account.{attribute.name} holds a lone surrogate")


def _endpoints(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, Endpoints):
        raise ConfigurationError("Account.endpoints must be an Endpoints, e.g. Endpoints.TEST")


@attrs.frozen
class Account:
    """One partner at one set of endpoints; its form is not checked, none is documented.

    `language_code`, `mark` and `terminal` go with every shop request; None leaves one out.
    `access_code` is named by the documents and used by no step: it is kept and sent nowhere.
    `wire_names` replaces assumed wire names, e.g. `{"AddSims.iccids": "iccidList"}`.
    """

    partner_code: str = attrs.field(validator=_required_text)
    endpoints: Endpoints = attrs.field(default=Endpoints.TEST, kw_only=True, validator=_endpoints)
    language_code: str | None = attrs.field(default="1", kw_only=True, validator=_optional_text)
    mark: str | None = attrs.field(default="0", kw_only=True, validator=_optional_text)
    terminal: str | None = attrs.field(default="0", kw_only=True, validator=_optional_text)
    accept_language: str = attrs.field(default="en-US", kw_only=True, validator=_header_text)
    access_code: str | None = attrs.field(
        default=None, kw_only=True, repr=mask_secret, validator=_optional_text
    )
    wire_names: tuple[tuple[str, str], ...] = attrs.field(
        default=None, kw_only=True, converter=_checked_wire_names
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Account:
        """Read LINKSFIELD_PARTNER_CODE, _ENDPOINTS (test, production or a URL), _ACCESS_CODE,
        _LANGUAGE_CODE and _WIRE_NAMES (a TOML file)."""
        env = os.environ if environ is None else environ
        partner_code = env.get("LINKSFIELD_PARTNER_CODE", "").strip()
        if not partner_code:
            raise ConfigurationError("set LINKSFIELD_PARTNER_CODE to the partner code")
        names_file = env.get("LINKSFIELD_WIRE_NAMES")
        return cls(
            partner_code,
            endpoints=Endpoints.named(env.get("LINKSFIELD_ENDPOINTS") or "test"),
            language_code=env.get("LINKSFIELD_LANGUAGE_CODE", "1"),
            access_code=env.get("LINKSFIELD_ACCESS_CODE") or None,
            wire_names=read_wire_names(names_file) if names_file else None,
        )
