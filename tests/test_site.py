"""The built site in a real browser, opened from disk as a reader would: `make book` comes first."""

import os
import re
import shutil
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
PAGES = [TOC["root"], *(page["file"] for part in TOC["parts"] for page in part["chapters"])]
THEOREMS = "theorem", "lemma", "proposition", "corollary", "definition", "remark", "example"

PHONE = {"width": 375, "height": 800}
CHROMIUM = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
OUTER = "images => images.map(image => image.outerHTML)"


def need(thing, remedy):
    """Return `thing`; where it is missing, skip the test, or fail it in CI."""
    if not thing:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(remedy)
    return thing


def html(page):
    """Return the source of a built page."""
    path = SITE / f"{page}.html"
    need(path.exists(), f"{page}.html is not built: run `make book`")
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def browser():
    """Chromium, without any of its own connections."""
    from playwright.sync_api import sync_playwright

    path = need(
        next(filter(None, map(shutil.which, CHROMIUM)), None),
        "no Chromium: install Debian's package `chromium`, or Google Chrome",
    )
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=QUIET)


@pytest.fixture(scope="module", params=PAGES)
def page(request, browser):
    """One page on a phone, all of it rendered, with a record of what it said and asked for."""
    html(request.param)
    page = browser.new_page(viewport=PHONE)
    page.problems, page.requests = [], []
    page.on("console", lambda m: m.type == "error" and page.problems.append(m.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda r: page.problems.append(f"failed: {r.url}"))
    page.on("request", lambda r: page.requests.append(r.url))
    page.goto((SITE / f"{request.param}.html").as_uri())
    page.wait_for_function("!window.MathJax || MathJax.startup?.promise")
    page.evaluate("window.MathJax && MathJax.startup.promise")
    page.wait_for_load_state("networkidle")
    yield page
    page.close()


def test_page_reports_no_error(page):
    assert page.problems == []


def test_page_asks_no_other_host(page):
    elsewhere = [u for u in page.requests if not u.startswith((SITE.as_uri(), "data:", "blob:"))]
    assert elsewhere == []


def test_mathematics_is_rendered(page):
    wrong = "mjx-merror, mjx-container [style*='color: red']"  # bad syntax; unknown macros
    assert page.locator(wrong).all_text_contents() == []
    assert (
        page.evaluate("""[...document.querySelectorAll("article .math")]
        .filter(e => !e.querySelector("mjx-container")).map(e => e.textContent)""")
        == []
    )
    raw = page.evaluate(r"""() => {
        const walker = document.createTreeWalker(document.querySelector("article"), 4), found = [];
        while (walker.nextNode()) {
            const node = walker.currentNode;
            if (/\$|\\[(\[a-z]|\{(prf:|eq\}|cite|numref|glue)/.test(node.textContent) &&
                !node.parentElement.closest("pre, code, script, style, mjx-container"))
                found.push(node.textContent);
        }
        return found;
    }""")
    assert raw == []


def test_images_say_what_they_show(page):
    texts = page.evaluate("""[...document.querySelectorAll("article img")].map(e => e.alt)""")
    assert [t for t in texts if len(t.split()) < 5 or re.search(r"\.(png|svg|jpe?g)\b", t)] == []


def test_page_fits_a_phone(page):
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    cut = page.evaluate("""() => {
        const scrolls = e => e && (/auto|scroll/.test(getComputedStyle(e).overflowX)
            || scrolls(e.parentElement.closest("article *")));
        return [...document.querySelectorAll("article *")].filter(e =>
            e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1
            && !e.closest("mjx-assistive-mml, .visually-hidden, .sr-only") && !scrolls(e)
        ).map(e => e.outerHTML.slice(0, 120));
    }""")
    assert cut == []


def test_proofs_open_and_close(page):
    for box in page.locator("article details.sd-dropdown").all():
        body = box.locator(".sd-summary-content")
        before = body.is_visible()
        box.locator("summary").first.click()
        assert body.is_visible() is not before
        box.locator("summary").first.click()
        assert body.is_visible() is before


def test_widgets_work_without_a_kernel(page):
    promised = page.locator("script[type='application/vnd.jupyter.widget-view+json']").count()
    page.wait_for_function(f"document.querySelectorAll('.widget-subarea > *').length == {promised}")
    assert page.get_by_text("Error displaying widget").count() == 0
    for explorer in page.locator(".widget-subarea:has(img)").all():
        for slider in explorer.locator(".widget-slider").all():
            handle, track = slider.locator(".noUi-handle"), slider.locator(".noUi-base")
            label = slider.locator("label").inner_text()
            assert handle.get_attribute("aria-label") == label
            moves = [partial(handle.press, key) for key in ("Home", "ArrowRight", "End")]
            moves.append(partial(handle.drag_to, track, target_position={"x": 0, "y": 0}))
            pictures = []
            for move in moves:
                move()
                pictures.append("".join(explorer.locator("img").evaluate_all(OUTER)))
                value = slider.locator(".widget-readout").inner_text()
                assert handle.get_attribute("aria-valuetext") == value
                assert f"{label.split()[-1]} = {value}" in pictures[-1], "shows another value"
            assert len(set(pictures[:3])) > 1, "the slider changes no picture"
            assert pictures[3] == pictures[0] != pictures[2], "it cannot be dragged"


@pytest.mark.parametrize("name", PAGES[:1])
def test_reader_can_have_light_or_dark(browser, name):
    colours = set()
    for scheme in "light", "dark":
        page = browser.new_page(color_scheme=scheme)
        page.goto((SITE / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.locator("button.theme-switch-button").first.click()
        page.close()
    assert len(colours) == 2


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    here = SITE / f"{name}.html"
    lost = []
    for link in re.findall(r'<a\b[^>]*\bhref="([^"]+)"', html(name)):
        parts = urlsplit(link)
        if parts.scheme in ("https", "mailto"):
            continue
        target = (here.parent / unquote(parts.path)).resolve() if parts.path else here
        anchor = f'id="{unquote(parts.fragment)}"'
        if not target.is_file() or (parts.fragment and anchor not in target.read_text("utf-8")):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("name", PAGES)
def test_theorems_are_numbered(name):
    kinds = "|".join(THEOREMS)
    source = (ROOT / f"{name}.md").read_text("utf-8")
    boxes = re.findall(rf'<div class="proof (?:{kinds}) admonition"[^>]*>\s*(.*?)</p>', html(name))
    assert len(boxes) == len(re.findall(rf"\{{prf:(?:{kinds})\}}", source))
    assert [box for box in boxes if not re.search(r'caption-number">\w+ \d+(\.\d+)?', box)] == []
