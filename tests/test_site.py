"""The built site in a real browser, opened from disk as a reader would: `make book` comes first."""

import os
import re
import shutil
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import check_lines
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
PAGES = [TOC["root"], *(page["file"] for part in TOC["parts"] for page in part["chapters"])]
STATEMENTS = "theorem", "lemma", "proposition", "corollary", "observation"
THEOREMS = *STATEMENTS, "definition", "remark", "example"
LEDGER = "book/ledger"

PHONE = {"width": 375, "height": 800}
LAPTOP = {"width": 1280, "height": 800}
CHROMIUM = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
OUTER = "images => images.map(image => image.outerHTML)"

# Text that stands out from its background by less than WCAG asks for, with the ratio.
PALE = """() => {
    const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const known = new Map();
    const luminance = colours => {
        const key = colours.join();
        if (!known.has(key)) {
            for (const colour of colours) {
                pixel.fillStyle = colour;
                pixel.fillRect(0, 0, 1, 1);
            }
            const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map(byte =>
                byte < 11 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
            known.set(key, 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05);
        }
        return known.get(key);
    };
    const behind = e => [...(e.parentElement ? behind(e.parentElement) : ["white"]),
        getComputedStyle(e).backgroundColor];
    const found = new Set();
    for (const e of document.querySelectorAll("article *")) {
        const text = [...e.childNodes].some(n => n.nodeType === 3 && n.nodeValue.trim());
        if (!text || e.closest("pre, svg, script, style, mjx-container, .headerlink")) continue;
        const ground = behind(e), pair = [ground, [...ground, getComputedStyle(e).color]];
        const [low, high] = pair.map(luminance).sort((a, b) => a - b);
        if (high / low < 4.5) found.add(`${(high / low).toFixed(2)} ${e.outerHTML.slice(0, 120)}`);
    }
    return [...found];
}"""

# Display formulas of which the edge of the box, which scrolls, cuts something off.
CUT = """[...document.querySelectorAll("mjx-container[display=true]")].filter(box => {
    box.scrollLeft = box.scrollWidth;
    const edge = box.getBoundingClientRect(), glyphs = [...box.querySelectorAll("mjx-c")];
    const right = Math.max(...glyphs.map(glyph => glyph.getBoundingClientRect().right));
    const cut = box.scrollHeight > box.clientHeight || right > edge.right - 1;
    box.scrollLeft = 0;
    return cut;
}).map(box => box.textContent.slice(0, 120))"""

# Formulas on another line than the comma after them, or the bracket before.
APART = """[...document.querySelectorAll("article span.math")].filter(formula => {
    const line = formula.getBoundingClientRect(), range = document.createRange();
    const apart = (text, start, end) => {
        range.setStart(text, start);
        range.setEnd(text, end);
        const mark = range.getBoundingClientRect();
        return mark.height && (mark.top > line.bottom || mark.bottom < line.top);
    };
    const before = formula.previousSibling, after = formula.nextSibling, end = before?.length;
    return (/[(\\[“]$/.test(before?.nodeValue ?? "") && apart(before, end - 1, end))
        || (/^[.,;:!?)\\]”’]/.test(after?.nodeValue ?? "") && apart(after, 0, 1));
}).map(formula => formula.parentElement.textContent.slice(0, 120))"""

LINES = """kinds => [...document.querySelectorAll("div.proof")]
    .filter(box => kinds.some(kind => box.classList.contains(kind)))
    .map(box => ({
        label: box.id,
        links: [...box.querySelectorAll(".check > a")].map(link => link.getAttribute("href")),
        sentence: box.querySelector(".check summary")?.textContent ?? "",
        parts: [...box.querySelectorAll(".check tr")].slice(1)
            .map(part => [...part.cells].map(cell => cell.textContent)),
    }))"""


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


@pytest.fixture(scope="module")
def ledger(browser):
    """Return the table on the ledger's page: for each label, a list of cells for each part."""
    html(LEDGER)
    page = browser.new_page()
    page.goto((SITE / f"{LEDGER}.html").as_uri())
    lines = page.evaluate("""[...document.querySelectorAll("table:has([id^=row-]) tr")].slice(1)
        .map(line => [line.id.replace("row-", ""),
            ...[...line.cells].slice(1).map(cell => cell.textContent)])""")
    page.close()
    rows = {}
    for label, *part in lines:
        if label:
            rows[label] = []
        list(rows.values())[-1].append(part)
    return rows


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


def test_formulas_are_whole(page):
    for viewport in LAPTOP, PHONE:
        page.set_viewport_size(viewport)
        assert page.evaluate(CUT) == []


def test_no_line_begins_with_a_comma(page):
    assert page.evaluate(APART) == []


def test_text_stands_out(page):
    for theme in "dark", "light":
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        assert page.evaluate(PALE) == [], theme


def test_paper_shows_what_is_folded(page):
    fold = "details:not([open], .hide)"
    folded = page.locator(f"article {fold}").count()
    page.emulate_media(media="print")
    heights = "all => all.map(fold => fold.scrollHeight - fold.firstElementChild.scrollHeight)"
    assert min(page.locator(f"article {fold}").evaluate_all(heights), default=9) > 5
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(fold).count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(f"article {fold}").count() == folded


def test_each_statement_shows_its_row_of_the_ledger(page, ledger):
    def integers(text):
        return [int(digits) for digits in re.findall(r"\d+", text)]

    for box in page.evaluate(LINES, STATEMENTS):
        row = ledger[box["label"]]
        (link,) = box["links"]
        assert link.endswith(f"ledger.html#row-{box['label']}")
        assert box["sentence"].startswith("✓ checked on ")
        assert {part[2] for part in row} == {"holds"}
        for shown, part in zip(box["parts"], row, strict=True):
            name, _, _, worst, threshold, instances, refuted = part
            assert shown[0].startswith(f"{name}: ")
            assert shown[1].startswith(f"{worst} on ")
            assert integers(shown[1].split(" on ")[1]) == integers(instances)
            assert shown[2].startswith(f"{threshold}: ")
            assert integers(shown[3].split("; refuted ")[-1]) == integers(refuted)
        *counts, share = integers(box["sentence"])
        instances = {int(part[5].split()[0]) for part in row}
        twins = [len(row)] if len(row) > 1 else []
        refuted = sum(int(part[6].split()[0]) for part in row)
        assert counts == [*sorted({min(instances), max(instances)}), *twins, refuted]
        shares = [float(part[3]) / float(part[4]) for part in row if float(part[4]) > 0]
        worst = max(shares, default=0)
        assert share == pytest.approx(max(100 * worst, 1), rel=0.06, abs=0.6)


@pytest.mark.parametrize(
    ("verdict", "worst", "error", "line"),
    [
        (
            "holds",
            0.9,
            None,
            "✓ checked on 5 instances; its false twin refuted 1 time; worst value "
            "90\N{NO-BREAK SPACE}% of its threshold",
        ),
        (
            "fails",
            3.0,
            None,
            "✗ fails: checked on 5 instances; its false twin refuted 1 time; "
            "worst value 300\N{NO-BREAK SPACE}% of its threshold",
        ),
        (
            "undecided",
            -2.0,
            None,
            "? undecided: checked on 5 instances; its false twin refuted "
            "1 time; worst value below 1\N{NO-BREAK SPACE}% of its threshold",
        ),
        (
            "fails",
            None,
            "ValueError on draw 5: <no>",
            "✗ fails: checked on 5 instances; its false "
            "twin refuted 1 time; worst value not a number; ValueError on draw 5: <no>",
        ),
    ],
)
def test_a_line_says_plainly_what_became_of_a_claim(verdict, worst, error, line):
    said = dict.fromkeys(("name", "measured", "reason", "twin"), "a < b")
    numbers = {"worst": worst, "threshold": 1.0, "instances": 5, "not_applicable": 2, "refuted": 1}
    row = {"label": "lem", "verdict": verdict, "error": error, "parts": [said | numbers]}
    assert check_lines.sentence(row) == line
    shown = check_lines.line(row, "ledger.html#row-lem")
    assert "a &lt; b" in shown and "a < b" not in shown and "<no>" not in shown
    assert "5 instances (+2 n/a)" in shown and "--only lem" in shown


def test_ledger_has_a_row_for_each_statement(ledger):
    kinds = "|".join(STATEMENTS)
    boxes = rf'<div class="proof (?:{kinds}) admonition" id="([^"]+)"'
    labels = [label for name in PAGES for label in re.findall(boxes, html(name))]
    assert sorted(labels) == sorted(ledger)


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


@pytest.mark.parametrize("name", PAGES)
def test_each_bar_unfolds_something(name):
    bars = re.findall(r"<details.*?</summary>(.*?)</details>", html(name), re.DOTALL)
    assert [bar for bar in bars if not re.sub(r"<(?!img)[^>]*>", "", bar).strip()] == []


@pytest.mark.parametrize("name", PAGES)
def test_each_column_has_a_name(name):
    assert re.findall(r"<th\b[^>]*>(?:\s|<p>|</p>)*</th>", html(name)) == []


@pytest.mark.parametrize("name", PAGES)
def test_what_a_chapter_says_holds_with_the_published_numbers(name):
    assert "with these numbers" not in html(name)


def test_references_go_by_authors_and_year(browser):
    page = browser.new_page()
    page.goto((SITE / "book/references.html").as_uri())
    assert page.locator(".citation").count() > 10
    assert page.locator(".citation > .label:visible").count() == 0
    page.close()


def test_no_index_lists_labels():
    need((SITE / "index.html").exists(), "run `make book`")
    links = [name for name in PAGES if re.search(r'href="[^"]*(genindex|prf-prf)', html(name))]
    assert links == []


def test_titles_stay_in_the_boxes_of_the_map(browser):
    page = browser.new_page()
    page.goto((SITE / "book/theorem_map.html").as_uri())
    out = page.evaluate("""() => [...document.querySelectorAll(".theorem-map a")].filter(a => {
        const box = a.querySelector("rect").getBBox();
        return [...a.querySelectorAll("text")].map(t => t.getBBox()).some(t =>
            t.x + t.width > box.x + box.width || t.y + t.height > box.y + box.height);
    }).map(a => a.textContent)""")
    page.close()
    assert out == []
