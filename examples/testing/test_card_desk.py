"""The desk against a sandbox of the service, through good days and bad ones."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import httpx2
import pytest
from card_desk import app, lifespan
from fastapi.testclient import TestClient

from linksfield_async import Sandbox
from linksfield_async.operations import GetOrder, SingleOrder, SingleVerify
from linksfield_async.sandbox import Situation, drop_answer, drop_request, refuse, throttled

PLAN = "SP202601010801"


@pytest.fixture
def desk(linksfield_environment: dict[str, str]) -> Iterator[TestClient]:
    with TestClient(app) as desk:
        yield desk


@pytest.fixture
def card(linksfield_sandbox: Sandbox) -> str:
    return next(linksfield_sandbox.world.iccids("valid"))


def test_a_card_of_ours_has_no_plans_at_first(desk: TestClient, card: str) -> None:
    assert desk.get(f"/cards/{card}").json() == {"plans": []}


@pytest.mark.parametrize("kind", ["foreign", "suspended", "unknown"])
def test_other_cards_are_not_found(
    desk: TestClient, linksfield_sandbox: Sandbox, kind: str
) -> None:
    other = next(linksfield_sandbox.world.iccids(kind))
    assert desk.get(f"/cards/{other}").status_code == 404


def test_a_number_orders_once(desk: TestClient, linksfield_sandbox: Sandbox, card: str) -> None:
    for _ in range(2):
        answer = desk.put("/orders/N1", json={"iccid": card, "plan": PLAN})
        assert (answer.status_code, answer.json()) == (201, {"state": "ordered"})
    linksfield_sandbox.requests.of(SingleOrder, order_no="N1").once()
    assert len(linksfield_sandbox.world.card(card).orders) == 1


@pytest.mark.linksfield(faults=[(SingleOrder, drop_answer())])
def test_an_order_whose_answer_was_lost_is_found_and_not_placed_again(
    desk: TestClient, linksfield_sandbox: Sandbox, card: str
) -> None:
    wish = {"iccid": card, "plan": PLAN}
    assert desk.put("/orders/N1", json=wish).json() == {"state": "unknown"}
    assert desk.put("/orders/N1", json=wish).json() == {"state": "ordered"}
    assert linksfield_sandbox.requests.of(SingleOrder).once().carried_out


@pytest.mark.linksfield(faults=[(SingleOrder, drop_request())])
def test_an_order_that_got_lost_itself_stays_unknown(
    desk: TestClient, linksfield_sandbox: Sandbox, card: str
) -> None:
    for _ in range(2):
        answer = desk.put("/orders/N1", json={"iccid": card, "plan": PLAN})
        assert (answer.status_code, answer.json()) == (202, {"state": "unknown"})
    linksfield_sandbox.requests.of(SingleOrder).once()
    linksfield_sandbox.requests.of(GetOrder).once()


@pytest.mark.linksfield(faults=[(SingleOrder, refuse())])
def test_a_refused_order_may_be_placed_under_the_same_number(
    desk: TestClient, linksfield_sandbox: Sandbox, card: str
) -> None:
    wish = {"iccid": card, "plan": PLAN}
    assert desk.put("/orders/N1", json=wish).status_code == 404
    assert desk.put("/orders/N1", json=wish).status_code == 201
    linksfield_sandbox.requests.of(SingleOrder).carried_out.once()


@pytest.mark.linksfield(faults=[(SingleVerify, throttled(retry_after=10))] * 2)
def test_a_busy_service_is_asked_again_and_nobody_sleeps(
    desk: TestClient, linksfield_sandbox: Sandbox, card: str
) -> None:
    before = linksfield_sandbox.clock.now()
    assert desk.get(f"/cards/{card}").status_code == 200
    linksfield_sandbox.requests.of(SingleVerify).times(3)
    assert (linksfield_sandbox.clock.now() - before).total_seconds() >= 20


@pytest.mark.linksfield(scenario=("active_plan", {"days_left": 3}))
def test_a_plan_ends_after_its_days(
    desk: TestClient, linksfield_sandbox: Sandbox, linksfield_situation: Situation
) -> None:
    address = f"/cards/{linksfield_situation.iccid}"
    assert len(desk.get(address).json()["plans"]) == 1
    linksfield_sandbox.clock.advance(days=3)
    assert desk.get(address).json() == {"plans": []}


@pytest.mark.anyio
@pytest.mark.usefixtures("linksfield_environment")
async def test_a_double_click_orders_once(linksfield_sandbox: Sandbox, card: str) -> None:
    states: list[str] = []

    async def click() -> None:
        answer = await desk.put("/orders/N1", json={"iccid": card, "plan": PLAN})
        states.append(answer.json()["state"])

    carrier = httpx2.ASGITransport(app)
    async with (
        lifespan(app),
        httpx2.AsyncClient(transport=carrier, base_url="http://desk") as desk,
        anyio.create_task_group() as clicks,
    ):
        clicks.start_soon(click)
        clicks.start_soon(click)
    assert "ordered" in states
    linksfield_sandbox.requests.of(SingleOrder).once()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
