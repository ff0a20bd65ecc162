"""Headless Chromium by Playwright, and axe-core's judgement of a page (WCAG 2.2 AA)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.acceptance.peers import tool
from tests.patience import PATIENCE

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZE = ViewportSize(width=1280, height=800)
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
Theme = Literal["dark", "light"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    path = tool("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, url: str, theme: Theme = "dark", expected: str = "nothing"
) -> Iterator[Page]:
    """A window of a reader of his own, at a site; whatever a script complains of fails the test.

    Args:
        browser: that opens it.
        url: of the site.
        theme: that the reader likes.
        expected: complaints with these words are right, as the browser tells of each refusal.
    """
    context = browser.new_context(
        base_url=url, viewport=SIZE, color_scheme=theme, locale="en-GB", ignore_https_errors=True
    )
    page = context.new_page()
    page.set_default_timeout(15_000 * PATIENCE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert [one for one in wrong if expected not in one] == []


def log_in(page: Page, account: str, password: str) -> None:
    """By the form."""
    page.goto("/login")
    page.fill("#account", account)
    page.fill("#password", password)
    page.click("main button.primary")
    page.wait_for_url(lambda url: "/login" not in url)


def judged(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is, a line each."""
    found = Axe().run(page, options=RULES)
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]
