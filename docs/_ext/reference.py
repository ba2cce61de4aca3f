"""Sphinx directives for the reference.

``.. generated:: NAME`` inserts a table of ``tables.TABLES``. ``.. setting:: KEY`` describes a setting; its default and
the allowed values are added. The role ``setting`` links to it.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.addnodes import desc_content
from sphinx.application import Sphinx
from sphinx.domains.std import GenericObject
from sphinx.util.docutils import SphinxDirective
from tables import TABLES, allowed_in, default_of, literal, prose


class Setting(GenericObject):
    """The description of a setting. The facts that the code knows are added."""

    def transform_content(self, content_node: desc_content) -> None:
        key = self.arguments[0]
        facts = f"Default: {literal(default_of(key))}. Allowed: {prose(allowed_in(key))}."
        content_node.insert(0, self.parse_text_to_nodes(facts))


class Generated(SphinxDirective):
    """Inserts a table."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(TABLES[self.arguments[0]]())


def hide_constructor(_app: Sphinx, what: str, _name: str, value: object, *_rest: object) -> tuple[str, str] | None:
    """Leave the arguments out of the headings of classes: nobody creates results, and their fields are listed."""
    return ("", "") if what in {"class", "exception"} else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("generated", Generated)
    app.add_object_type("setting", "setting", indextemplate="pair: %s; setting")
    app.add_directive_to_domain("std", "setting", Setting, override=True)
    app.connect("autodoc-process-signature", hide_constructor)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
