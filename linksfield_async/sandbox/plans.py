"""The plans on sale in the sandbox, by region; all of them invented."""

from __future__ import annotations

from collections.abc import Iterator

import attrs


@attrs.frozen
class Region:
    """A region under its English and Chinese names; `area` may be either."""

    english: str
    chinese: str

    def is_called(self, area: str) -> bool:
        """Tell whether a text names this region."""
        return area.strip().casefold() in (self.english.casefold(), self.chinese)


@attrs.frozen
class Plan:
    """One plan: `months` periods of 30 days at `price`; unit '2' is the month."""

    code: str
    package_code: str
    name: str
    region: Region
    price: str
    currency: str
    months: int
    auto_renewal: bool


_CATALOGUE = (
    (Region("Europe", "欧洲"), "EUR", (("5GB", "9.90", 1, 0), ("20GB", "24.50", 1, 1), ("50GB", "59.00", 3, 0))),
    (Region("Singapore", "新加坡"), "USD", (("2GB", "4.99", 1, 0), ("10GB", "19.99", 1, 1))),
    (Region("Japan", "日本"), "JPY", (("3GB", "980", 1, 0), ("Unlimited", "4280", 1, 1))),
    (Region("United Kingdom", "英国"), "GBP", (("5GB", "12.36", 1, 1), ("15GB", "21.00", 1, 0))),
    (Region("North America", "北美"), "USD", (("3GB", "8.00", 1, 0), ("10GB", "22.00", 1, 1), ("30GB", "54.90", 3, 1), ("Unlimited", "69.00", 1, 0))),
)  # fmt: skip


def _all_plans() -> Iterator[Plan]:
    number = 0
    for region, currency, offers in _CATALOGUE:
        for volume, price, months, renews in offers:
            number += 1
            yield Plan(
                code=f"SP2026010108{number:02d}",
                package_code=f"PACKAGE202601010000{number:02d}",
                name=f"{region.english} {volume} {30 * months}-Days",
                region=region,
                price=price,
                currency=currency,
                months=months,
                auto_renewal=bool(renews),
            )


PLANS: tuple[Plan, ...] = tuple(_all_plans())
REGIONS: tuple[Region, ...] = tuple(region for region, _, _ in _CATALOGUE)

_BY_CODE = {plan.code: plan for plan in PLANS}


def plan_of(code: str) -> Plan | None:
    """Find a plan by its shop code."""
    return _BY_CODE.get(code)


def plans_for(area: str | None) -> list[Plan]:
    """List the plans of a region, or all; a region that nobody knows has none (invented)."""
    return [plan for plan in PLANS if not area or plan.region.is_called(area)]
