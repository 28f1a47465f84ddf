"""The dashboard in a real browser, headless: what a user sees, and what is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

import hnas
from hnas.reports import DashboardServer
from hnas.studies import StoredStudy
from tests.reports.dashboard.test_server import base

SECONDS = 60.0

selenium = pytest.importorskip("selenium", reason="selenium is not installed (extra 'dev')")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver

    driver = shutil.which("chromedriver")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if driver is None or program is None:
        pytest.skip("Chromium and its driver are not installed (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1300"):
        options.add_argument(word)
    chromium = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chromium
    chromium.quit()


def wait_for(browser: Any, condition: str) -> Any:
    """Waits until JavaScript returns something, and returns that."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, SECONDS).until(lambda driver: driver.execute_script(f"return {condition}"))


def text(browser: Any) -> str:
    return str(browser.execute_script("return document.body.innerText"))


def test_the_list_leads_to_the_study(browser: Any, dashboard: DashboardServer) -> None:
    browser.get(base(dashboard))
    wait_for(browser, "[...document.querySelectorAll('a')].find(a => a.innerText.includes('first'))").click()
    wait_for(browser, "document.body.innerText.includes('Best Trials')")
    assert browser.current_url.split("?")[0] == dashboard.url


def test_the_study_shows_our_pareto_and_its_front(
    browser: Any, dashboard: DashboardServer, watched: StoredStudy
) -> None:
    browser.get(dashboard.url)
    plot = "document.getElementById('user-defined-plot:hnas-pareto-accuracy-latency_ms')"
    wait_for(browser, f"{plot}?.querySelector('.legendtext')")
    front = {item["trial"] for item in hnas.show(watched)["front"]}
    legend = browser.execute_script(f"return {plot}.innerText || {plot}.textContent")
    assert f"front ({len(front)})" in legend and "over budget" in legend
    drawn = browser.execute_script(f"return {plot}.querySelectorAll('.scatterlayer .point').length")
    assert drawn >= 40
    best = browser.execute_script("return [...document.querySelectorAll('a')].map(a => a.innerText).join(' ')")
    assert {int(number) for number in re.findall(r"Trial (\d+)\n", best)} == front


def test_all_figures_are_drawn(browser: Any, dashboard: DashboardServer) -> None:
    browser.get(dashboard.url)
    plots = "[...document.querySelectorAll('[id^=\"user-defined-plot:hnas-\"]')]"
    wait_for(browser, f"{plots}.filter(plot => plot.querySelector('.main-svg')).length == 5")


def test_the_note_is_on_its_page(browser: Any, dashboard: DashboardServer) -> None:
    browser.get(f"{dashboard.url}/note")
    wait_for(browser, "document.body.innerText.includes('Join with another worker')")
    assert "hnas search first --storage sqlite:////" in text(browser)


def test_a_trial_of_the_front_shows_its_drawing(browser: Any, dashboard: DashboardServer, watched: StoredStudy) -> None:
    trial = hnas.show(watched)["front"][0]["trial"]
    browser.get(f"{dashboard.url}/trials?numbers={trial}")
    image = "document.querySelector('img[src^=\"/artifacts/\"]')"
    wait_for(browser, f"{image}?.naturalWidth > 100")
    assert f"trial-{trial}-fusion.png" in text(browser)
    assert "late_score" in text(browser)


def test_the_table_sorts_by_feasibility_late_score_and_costs_by_part(browser: Any, dashboard: DashboardServer) -> None:
    browser.get(f"{dashboard.url}/smartSelection")
    wait_for(browser, "document.querySelectorAll('th').length > 10")
    heads = [head.text for head in browser.find_elements("css selector", "th")]
    sortable = {head.split("\n")[0].removeprefix("UserAttribute ") for head in heads if "sorted" in head}
    assert {"feasible", "late_score", "g/latency", "latency_ms/image", "energy_mj/fusion"} <= sortable


def test_a_delete_is_refused(browser: Any, dashboard: DashboardServer) -> None:
    browser.get(base(dashboard))
    wait_for(browser, "document.querySelector('button[aria-label=\"delete study\"]')").click()
    wait_for(browser, "[...document.querySelectorAll('button')].find(b => b.innerText.toLowerCase() == 'yes')").click()
    wait_for(browser, "document.body.innerText.includes('Failed to delete study')")
    browser.get(base(dashboard))
    wait_for(browser, "[...document.querySelectorAll('a')].find(a => a.innerText.includes('first'))")
