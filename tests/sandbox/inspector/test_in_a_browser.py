"""The inspector as a person uses it, in a headless browser."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium, a test tool, is not installed")

import browser as browser_support
from browser import complaints, look
from sandbox_thread import SandboxThread
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from linksfield_async import SyncClient
from linksfield_async.sandbox import Sandbox

chromium = browser_support.chromium
browser = browser_support.browser

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with SandboxThread(cards=500, job_delay=0.0) as sandbox:
        yield sandbox


@pytest.fixture
def page(browser: WebDriver, sandbox: Sandbox) -> Iterator[WebDriver]:
    browser.get(sandbox.url)
    wait(browser, lambda: text(browser, "#live") == "live")
    yield browser
    assert complaints(browser) == []


def wait(browser: WebDriver, condition: Callable[[], object]) -> None:
    # What was found may be replaced by newer facts before it is looked at.
    renewed = [StaleElementReferenceException]
    WebDriverWait(browser, 10, 0.02, ignored_exceptions=renewed).until(lambda _: condition())


def text(browser: WebDriver, selector: str) -> str:
    return "\n".join(str(one.text) for one in browser.find_elements(By.CSS_SELECTOR, selector))


def press(browser: WebDriver, selector: str, name: str = "") -> None:
    def pressed() -> bool:
        shown = browser.find_elements(By.CSS_SELECTOR, selector)
        found = next((one for one in shown if one.text.startswith(name)), None)
        if found is not None:
            found.click()
        return found is not None

    wait(browser, pressed)


def post(sandbox: Sandbox, path: str, params: dict[str, Any]) -> None:
    """Send what no client of this package would."""
    request = urllib.request.Request(sandbox.url + path, json.dumps(params).encode())
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request):
        pass
    caught.value.close()


def signed_wrongly(sandbox: Sandbox) -> None:
    # The sign of the genuine sample without its empty texts.
    shared = {"version": "3.0", "partnerCode": "P000270", "languageCode": ""}
    params = {**shared, "deviceCode": "1", "tradeTime": "1", "tradeType": "x", "area": HOSTILE}
    kept = {name: value for name, value in params.items() if value}
    from linksfield_async.signing import sign

    post(sandbox, "/vshop/singleServicePlanPage", params | {"sign": sign(kept)})


def test_requests_appear_as_they_come(page: WebDriver, sandbox: Sandbox) -> None:
    assert "No requests yet" in text(page, "main")
    with SyncClient(sandbox.account) as client:
        client.vshop.verify_card(iccid=next(sandbox.world.iccids("valid")))
    wait(page, lambda: "SingleVerify" in text(page, "main"))
    assert text(page, "tr.link .chip.good") == "ok"


def test_a_wrong_sign_is_shown_beside_the_right_one(page: WebDriver, sandbox: Sandbox) -> None:
    signed_wrongly(sandbox)
    press(page, "tr.link")
    wait(page, lambda: text(page, ".verdict"))
    assert "empty strings are left out" in text(page, ".verdict.bad")
    right, wrong = page.find_elements(By.CSS_SELECTOR, ".side pre")
    assert '"languageCode":""' in right.text
    assert "languageCode" not in wrong.text
    assert "languageCode" in text(page, "mark.right.first")
    assert page.find_elements(By.CSS_SELECTOR, "mark.wrong.first") == []
    press(page, ".detail button", "Close")
    wait(page, lambda: not page.find_elements(By.CSS_SELECTOR, ".requests.open"))


def test_hostile_texts_do_not_run(page: WebDriver, sandbox: Sandbox) -> None:
    signed_wrongly(sandbox)
    post(sandbox, f"/vshop/{urllib.request.quote(HOSTILE, safe='')}", {HOSTILE: HOSTILE})
    plan = sandbox.world.plans[0]
    with SyncClient(sandbox.account) as client:
        client.vshop.create_order(
            iccid=next(sandbox.world.iccids("valid")),
            package_code=plan.package_code,
            service_plan_code=plan.code,
            service_plan_show_name=HOSTILE,
            order_period="1",
            pay_amount=plan.price,
            pay_currency=plan.currency,
            order_no=HOSTILE,
            pay_id=HOSTILE,
        )
        client.payment.authorize(
            pay_id=HOSTILE, pay_amount=plan.price, pay_currency=plan.currency.lower()
        )
    for tab in ("Orders", "Payments", "Requests"):
        press(page, "nav button", tab)
        wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "tbody tr"))
    for index in range(4):
        page.get(f"{sandbox.url}/#requests/{index}")
        wait(page, lambda: HOSTILE[:8] in text(page, ".detail h2 ~ *, .detail pre, .detail dd"))
    assert page.title == "Linksfield sandbox"
    assert page.find_elements(By.CSS_SELECTOR, "main script, main img") == []


def test_a_payment_is_completed_and_another_declined(page: WebDriver, sandbox: Sandbox) -> None:
    plan = sandbox.world.plans[0]
    with SyncClient(sandbox.account) as client:
        for number, iccid in enumerate(islice(sandbox.world.iccids("valid"), 2)):
            client.vshop.create_order(
                iccid=iccid,
                package_code=plan.package_code,
                service_plan_code=plan.code,
                service_plan_show_name=plan.name,
                order_period="1",
                pay_amount=plan.price,
                pay_currency=plan.currency,
                order_no=f"NO{number}",
                pay_id=f"PAY{number}",
            )
            client.payment.authorize(
                pay_id=f"PAY{number}", pay_amount=plan.price, pay_currency=plan.currency.lower()
            )
    press(page, "nav button", "Payments")
    press(page, "tbody button", "Complete")
    wait(page, lambda: text(page, "tbody tr:first-child .chip") == "paid")
    press(page, "tbody button", "Decline")
    wait(page, lambda: text(page, "tbody tr:last-child .chip") == "failed")
    first, second = sandbox.world.orders
    assert (first.paid, second.paid is None) == (None, False)


def test_the_clock_is_moved_on(page: WebDriver, sandbox: Sandbox) -> None:
    before = sandbox.clock.now()
    press(page, ".clock button", "+30 days")
    wait(page, lambda: text(page, "#now").startswith("2026-01-31"))
    assert (sandbox.clock.now() - before).days == 30


def test_a_fault_is_injected(page: WebDriver, sandbox: Sandbox) -> None:
    press(page, "nav button", "Faults")
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "form select"))
    kind, operation = page.find_elements(By.CSS_SELECTOR, "form select")[:2]
    Select(kind).select_by_visible_text("server error")
    operation = page.find_elements(By.CSS_SELECTOR, "form select")[-1]
    Select(operation).select_by_visible_text("ListGroups")
    press(page, "form button", "Inject once")
    wait(page, lambda: "server error 503" in text(page, "tbody"))
    (fault,) = sandbox.faults.pending
    assert (fault.operation, fault.fault) == ("ListGroups", "server_error 503")
    press(page, "form button", "Clear all")
    wait(page, lambda: "No faults are set" in text(page, "main"))
    assert not sandbox.faults


def test_cards_are_searched(page: WebDriver, sandbox: Sandbox) -> None:
    press(page, "nav button", "Cards")
    wait(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "tbody tr")) == 50)
    card = list(sandbox.world.iccids("suspended"))[-1]
    page.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys(card)
    wait(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "tbody tr")) == 1)
    assert text(page, "tbody .chip") == "suspended"


@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_view_is_wider_than_the_window(
    page: WebDriver, sandbox: Sandbox, width: int, dark: bool
) -> None:
    look(page, width=width, dark=dark)
    signed_wrongly(sandbox)
    with SyncClient(sandbox.account) as client:
        client.groups.add_sims(group_id="G1003", iccids=["8985200000000000001"])
    tabs = ["cards", "orders", "payments", "subscriptions", "groups", "jobs", "notifications"]
    for place in ("requests", "requests/0", *tabs, "faults"):
        page.get(f"{sandbox.url}/#{place}")
        name = place.partition("/")[0].capitalize()
        wait(page, lambda name=name: text(page, "[aria-current=page]").startswith(name))
        wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "main .sheet"))
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    ground = page.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    assert (ground == "rgba(16, 19, 26, 1)") == dark


def test_a_sandbox_that_is_gone_is_told(browser: WebDriver) -> None:
    with SandboxThread(cards=20) as sandbox:
        browser.get(sandbox.url)
        wait(browser, lambda: text(browser, "#live") == "live")
    wait(browser, lambda: text(browser, "#live") == "the sandbox is gone")
