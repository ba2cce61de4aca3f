"""The views in which every page is looked at, and what may be wrong with a page there."""

from __future__ import annotations

import time

from tests.browser import axe

LOCALES = {"en": "en-US", "uk": "uk-UA"}
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
#: In which theme a page of a language is looked at, and in which of the two widths first. Colours do not depend on the
#: words between them.
VIEWS = {"en": (WIDE, "light"), "uk": (NARROW, "dark")}
#: In turn: what does not fit the window; at a desk, where nobody looks for more behind the right edge of a list or a
#: table, those that have to be scrolled; what is cut off by its box and cannot be scrolled to; and the buttons that
#: something else lies on. What is for screen readers only is no box, nor does it matter how far a field can be scrolled
#: by typing.
LAYOUT = """() => {
    const all = (selector) => [...document.querySelectorAll(selector)];
    const nameOf = (element) => `${element.tagName}.${element.className} ${(element.value || element.innerText || "")
        .trim().slice(0, 60)}`;
    const problems = [];
    const excess = document.documentElement.scrollWidth - innerWidth;
    if (excess > 0) {
        problems.push(`${excess} pixels wider than the window`);
    }
    const isWider = (element) => element.scrollWidth > element.clientWidth + 1;
    if (innerWidth > 1000) {
        problems.push(...all("#changelist .results, .hyber-scroll").filter(isWider)
            .map((element) => `to be scrolled sideways: ${nameOf(element)}`));
    }
    problems.push(...all("#content *").filter((element) => isWider(element)
        && !element.closest(".hyber-hidden, .hidden, .visually-hidden, svg, input, textarea, select")
        && getComputedStyle(element).overflowX === "hidden"
    ).map((element) => `cut off: ${nameOf(element)}`));
    const isCovered = (element) => {
        element.scrollIntoView({block: "center", inline: "center"});
        const box = element.getBoundingClientRect();
        const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return !element.contains(top);
    };
    problems.push(...all("#content :is(button, input[type=submit], a.button, .hyber-buttons a, .submit-row a)")
        .filter((element) => element.checkVisibility({visibilityProperty: true}) && isCovered(element))
        .map((element) => `out of reach: ${nameOf(element)}`));
    scrollTo(0, 0);
    return problems;
}"""

#: The frame of every page is Django's, and the same for every app. Of the rest, its breadcrumbs differ from the text
#: around them by their colour alone, its search field has only a picture for a label, and the links beside its fields
#: for dates are half translated.
NOT_DJANGOS = {"exclude": [["#header"], ["#nav-sidebar"], [".breadcrumbs"], ["#searchbar"], [".datetimeshortcuts"]]}


def problems_of(page, language):
    """What is wrong with a page, in words: as it is to axe, and in both widths to everybody.

    It is left in the other width than the one that it came in, so that the next page is loaded there: axe sees every
    second one as it is on a telephone, and with the other language and theme the others.
    """
    if page.locator("[data-compose]").count():
        # What the composer shows beside the texts comes a moment after the page.
        page.locator("[data-shown]").first.wait_for(state="attached")
    if page.get_attribute("html", "lang") != language:
        yield f"is not {language}"
    yield from axe.issues(page, within=NOT_DJANGOS)
    for width in (page.viewport_size, NARROW if page.viewport_size == WIDE else WIDE):
        page.set_viewport_size(width)
        yield from (f"{problem}, {width['width']} wide" for problem in page.evaluate(LAYOUT))


def wait_until_forgotten(page):
    """Wait until the browser keeps nothing of a form, as it does until the server says that it was saved."""
    deadline = time.monotonic() + 10
    while kept := page.evaluate("Object.keys(sessionStorage).filter((name) => name.startsWith('hyber-'))"):
        assert time.monotonic() < deadline, kept
        page.wait_for_timeout(20)
