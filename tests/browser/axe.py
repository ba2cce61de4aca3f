"""axe-core looks at a page as people with screen readers meet it. The copy beside this file is MPL 2.0, as it says."""

from __future__ import annotations

from pathlib import Path

SOURCE = Path(__file__).with_name("axe.min.js")
SERIOUS = ("serious", "critical")

_RUN = """async (within) => {
    const found = await axe.run(within || document, {resultTypes: ["violations"], preload: false});
    return found.violations.map((item) => ({
        rule: item.id,
        impact: item.impact,
        help: item.help,
        places: item.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
    }));
}"""


def issues(page, *, within=None, impacts=SERIOUS):
    """Return what axe finds, as lines to read; ``within`` is the selector of a part of the page, or a
    context as axe knows it.

    The script comes in past the content policy of the page, which stays as strict as it is. It does without the one
    rule that would need style sheets of its own in the page (css-orientation-lock).
    """
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(SOURCE.read_text(encoding="utf-8"))
    found = page.evaluate(_RUN, within)
    return [
        f"{item['impact']} {item['rule']}: {item['help']}\n  " + "\n  ".join(item["places"])
        for item in found
        if item["impact"] in impacts
    ]
