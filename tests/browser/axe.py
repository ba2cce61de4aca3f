"""axe-core looks at a page as people with screen readers meet it. The copy beside this file is MPL 2.0, as it says."""

from __future__ import annotations

from pathlib import Path

SOURCE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
SERIOUS = ("serious", "critical")

#: What a rule finds is as bad as the rule: the milder ones need not be asked at all.
_RUN = """async ({within, impacts}) => {
    const mild = axe._audit.rules.filter((rule) => !impacts.includes(rule.impact));
    const rules = Object.fromEntries(mild.map((rule) => [rule.id, {enabled: false}]));
    const found = await axe.run(within || document, {rules, resultTypes: ["violations"], preload: false});
    return found.violations.map((item) => ({
        rule: item.id,
        impact: item.impact,
        help: item.help,
        places: item.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
    }));
}"""


def issues(page, *, within=None):
    """Return what axe finds that is serious, as lines to read; ``within`` is the selector of a part of the page, or a
    context as axe knows it.

    The script comes in past the content policy of the page, which stays as strict as it is. It does without the one
    rule that would need style sheets of its own in the page (css-orientation-lock).
    """
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(SOURCE)
    found = page.evaluate(_RUN, {"within": within, "impacts": SERIOUS})
    return [f"{item['impact']} {item['rule']}: {item['help']}\n  " + "\n  ".join(item["places"]) for item in found]
