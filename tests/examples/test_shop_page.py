"""The example shop's page as a buyer uses it, in a headless browser.

LINKSFIELD_TEST_SCREENSHOTS names a directory that keeps the pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="fastapi, a test tool, is not installed")
pytest.importorskip("uvicorn", reason="uvicorn, a test tool, is not installed")
pytest.importorskip("selenium", reason="selenium, a test tool, is not installed")

import browser as browser_support
from browser import complaints, look, screenshot
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from shop_process import Shop

from linksfield_async.sandbox import drop_answer, stall
from linksfield_async.testing import HEALTHY, RESET_ON_ACCEPT

chromium = browser_support.chromium
browser = browser_support.browser

ONCE = {"SingleOrder": 1, "StripePay": 1, "ResultConfirm": 1}
PHONE = {"width": 390, "height": 844}


class Page:
    """What a buyer sees and does."""

    def __init__(self, browser: WebDriver, shop: Shop, folder: Path) -> None:
        self.browser, self.shop, self._folder = browser, shop, folder
        self.iccid = shop.card()

    def find(self, selector: str) -> WebElement:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def shows(self, selector: str) -> bool:
        return any(
            one.is_displayed() for one in self.browser.find_elements(By.CSS_SELECTOR, selector)
        )

    def until(self, ready: Callable[[], Any]) -> None:
        ignored = [StaleElementReferenceException]
        WebDriverWait(self.browser, 20, 0.03, ignored_exceptions=ignored).until(lambda _: ready())

    def says(self, words: str, selector: str = "#order-title") -> None:
        self.until(lambda: words in self.find(selector).text)

    def picture(self, name: str) -> None:
        screenshot(self.browser, self._folder / f"{name}.png")
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.browser.execute_script(f"return {wide}") == 0, "it scrolls sideways"

    def open(self) -> None:
        self.browser.get(self.shop.url)
        self.until(lambda: self.shows("#iccid"))

    def plans(self) -> None:
        self.find("#iccid").send_keys(self.iccid, Keys.ENTER)
        self.until(lambda: self.shows("#plan-list li"))

    def choose(self, selector: str = ".buy") -> None:
        self.open()
        self.plans()
        self.press(selector)
        self.says("Choose how to pay")

    def press(self, selector: str) -> None:
        self.browser.execute_script(
            "arguments[0].scrollIntoView({block: 'center'})", self.find(selector)
        )
        self.find(selector).click()

    def pay(self, card: str = "good") -> None:
        self.press(f"input[value={card}]")
        self.press("#pay-button")

    @property
    def key(self) -> str:
        return str(self.browser.current_url).rpartition("/")[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = Path(os.environ.get("LINKSFIELD_TEST_SCREENSHOTS") or tmp_path)
    found.mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path) as shop:
        yield shop


@pytest.fixture
def page(browser: WebDriver, shop: Shop, folder: Path) -> Iterator[Page]:
    yield Page(browser, shop, folder)
    browser.get("about:blank")  # its stream is closed before the shop is


def errors(browser: WebDriver) -> list[str]:
    """Give what the page complains of, but for answers that a test has called for."""
    return [one for one in complaints(browser) if "Failed to load resource" not in one]


def test_a_purchase(page: Page) -> None:
    page.open()
    page.picture("wide-light-1-start")
    for wrong, words in (
        ("123", "starts with 89"),
        ("8985", "has 18 to 20 digits"),
        ("89x", "digits only"),
        ("8985000000000000000", "cannot be used here"),
    ):
        page.find("#iccid").send_keys(wrong, Keys.ENTER)
        page.says(words, "#iccid-error")
        assert page.find("#iccid").get_attribute("aria-invalid") == "true"
        page.picture("wide-light-2-wrong-card")
        page.find("#iccid").clear()
    page.plans()
    page.picture("wide-light-3-plans")
    page.press(".buy")
    page.says("Choose how to pay")
    page.picture("wide-light-4-pay")
    page.pay()
    page.says("Your plan is on the card")
    page.picture("wide-light-5-confirmed")
    assert page.shop.changes(page.iccid) == ONCE
    assert page.shop.sandbox.notifications.deliveries
    assert "secret" not in page.browser.page_source
    assert errors(page.browser) == []


def test_a_subscription_on_a_phone_in_the_dark(page: Page) -> None:
    look(page.browser, **PHONE, dark=True)
    page.open()
    page.plans()
    page.picture("phone-dark-1-plans")
    page.press(".subscribe")
    page.says("Choose how to pay")
    page.press("#pay-button")
    page.says("Enter an e-mail address", "#email-error")
    page.picture("phone-dark-2-no-mail")
    page.find("#email").send_keys("buyer@example.com")
    page.picture("phone-dark-3-pay")
    page.pay()
    page.says("Your plan is on the card")
    page.picture("phone-dark-4-confirmed")
    changes = {"SingleOrder": 1, "StripeAutoPay": 1, "StripeSubDirectly": 1, "ResultConfirm": 1}
    assert page.shop.changes(page.iccid) == changes
    assert errors(page.browser) == []


def test_a_declined_card_can_be_followed_by_another(page: Page) -> None:
    page.choose()
    page.pay("declined")
    page.says("The payment was declined")
    page.picture("wide-light-6-declined")
    page.pay()
    page.says("Your plan is on the card")
    assert page.shop.changes(page.iccid) == ONCE


def test_a_declined_subscription_ends(page: Page) -> None:
    look(page.browser, **PHONE)
    page.choose(".subscribe")
    page.find("#email").send_keys("buyer@example.com")
    page.pay("declined")
    page.says("The payment was declined")
    page.until(lambda: page.shows("#again"))
    page.picture("phone-light-1-declined")
    assert not page.shows("#pay")
    assert not page.shop.get(f"/api/orders/{page.key}")[1]["delivered"]


def test_a_double_click_is_one_order(page: Page) -> None:
    page.open()
    page.plans()
    ActionChains(page.browser).double_click(page.find(".buy")).perform()
    page.says("Choose how to pay")
    ActionChains(page.browser).double_click(page.find("#pay-button")).perform()
    page.says("Your plan is on the card")
    assert page.shop.changes(page.iccid) == ONCE


def test_reloading_and_going_back_in_the_middle(page: Page) -> None:
    page.choose()
    key = page.key
    page.browser.refresh()
    page.says("Choose how to pay")
    page.browser.back()
    page.until(lambda: page.shows("#iccid"))
    if not page.shows("#plan-list li"):
        page.find("#iccid").clear()
        page.plans()
    page.press(".buy")  # once more: it is the same order
    page.says("Choose how to pay")
    assert page.key == key
    page.browser.get(f"{page.shop.url}/orders/{key}")  # from a bookmark
    page.says("Choose how to pay")
    page.pay()
    page.says("Your plan is on the card")
    page.browser.refresh()
    page.says("Your plan is on the card")
    assert page.shop.changes(page.iccid) == ONCE


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.open()

    def press(*keys: str) -> None:
        ActionChains(page.browser).send_keys(*keys).perform()

    page.find("#iccid").send_keys(page.iccid, Keys.ENTER)
    page.until(lambda: page.browser.switch_to.active_element.get_attribute("id") == "plans-title")
    press(Keys.TAB, Keys.ENTER)
    page.until(lambda: page.browser.switch_to.active_element.get_attribute("id") == "order-title")
    page.says("Choose how to pay")
    press(Keys.TAB, Keys.TAB, Keys.ENTER)
    page.says("Your plan is on the card")
    assert "Your plan is on the card" in str(page.find("#live").get_attribute("textContent"))
    unlabelled = page.browser.execute_script(
        "return [...document.querySelectorAll('input,button')].filter("
        "one => !one.labels?.length && !one.textContent.trim() && !one.ariaLabel).length"
    )
    assert unlabelled == 0


def test_a_lost_answer_is_told_and_then_known(page: Page) -> None:
    page.open()
    page.plans()
    page.shop.world.do(lambda: page.shop.sandbox.faults.next("SingleOrder", drop_answer()))
    page.press(".buy")
    page.says("Choose how to pay")  # the shop has asked, and gone on
    assert page.shop.changes(page.iccid) == {"SingleOrder": 1, "StripePay": 1}


def test_what_is_unknown_is_called_so_until_it_is_known(page: Page) -> None:
    page.open()
    page.plans()
    # The order is carried out; its answer and all that could be asked are lost with the network.
    held = stall(carried_out=True)
    page.shop.world.do(lambda: page.shop.sandbox.faults.next("SingleOrder", held))
    page.press(".buy")
    page.until(lambda: page.shop.orders(page.iccid))
    page.shop.world.cut(True)
    page.says("checking whether your order was placed")
    page.picture("wide-light-11-unknown")
    assert not page.shows("#pay-button")
    look(page.browser, **PHONE, dark=True)
    page.picture("phone-dark-5-unknown")
    page.shop.world.cut(False)
    page.says("Choose how to pay")
    assert page.shop.changes(page.iccid) == {"SingleOrder": 1, "StripePay": 1}


def test_nothing_is_invented_while_the_service_is_gone(page: Page) -> None:
    page.choose()
    # The network between the shop and the service is cut, also for what is open.
    page.shop.world.cut(True)
    page.pay()
    page.until(lambda: page.shows("#order-asked"))
    page.picture("wide-light-7-service-gone")
    page.says("waiting for your payment to arrive")
    assert not page.shows("#pay-button")
    page.browser.refresh()
    page.says("waiting for your payment to arrive")
    assert not page.shows("#pay-button")
    page.shop.world.cut(False)
    page.says("Your plan is on the card")
    assert page.shop.changes(page.iccid) == ONCE


def test_nothing_is_ordered_while_the_service_is_gone(page: Page) -> None:
    page.open()
    page.plans()
    page.shop.stop()
    page.shop.world.do(lambda: page.shop.world.proxy.always(RESET_ON_ACCEPT))
    page.shop.start()
    page.press(".buy")
    page.says("Nothing was ordered", "#plans-error")
    page.picture("wide-light-8-nothing-ordered")
    page.shop.world.do(lambda: page.shop.world.proxy.always(HEALTHY))
    page.press(".buy")
    page.says("Choose how to pay")
    assert page.shop.changes(page.iccid) == {"SingleOrder": 1, "StripePay": 1}


def test_the_shop_is_killed_and_the_page_goes_on(page: Page) -> None:
    page.choose()
    secret = page.shop.get(f"/api/orders/{page.key}")[1]["client_secret"]
    page.shop.kill()
    page.until(lambda: page.shows("#order-line"))
    page.picture("wide-light-9-shop-gone")
    page.shop.world.do(lambda: page.shop.sandbox.stripe.complete(secret))  # paid meanwhile
    page.shop.start()
    page.says("Your plan is on the card")
    assert not page.shows("#order-line")
    assert page.shop.changes(page.iccid) == ONCE


def test_who_has_paid_is_not_asked_again_while_the_shop_is_gone(page: Page) -> None:
    page.choose()
    # The stand-in answers, and the shop is gone before the page can tell it: as with Stripe.
    page.browser.execute_script(
        "const real = window.fetch; window.fetch = (path, ...more) => "
        "path.endsWith('/look') ? Promise.reject(new TypeError('gone')) : real(path, ...more)"
    )
    own = page.shop.get(f"/api/orders/{page.key}")[1]["client_secret"]
    page.shop.world.cut(True)
    page.pay()
    page.says("Please do not pay again", "#order-detail")
    assert not page.shows("#pay-button")
    page.picture("wide-light-10-paid-and-gone")
    page.browser.refresh()
    page.says("waiting for your payment to arrive")
    assert not page.shows("#pay-button")
    page.shop.world.cut(False)
    page.says("Your plan is on the card")
    assert own not in page.browser.page_source
    assert page.shop.changes(page.iccid) == ONCE
