"""The documentation site: ``make docs`` builds it into docs/_build/html."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import project as _project  # noqa: F401  sets Django up, before autodoc imports models

import django_hyber

project = "django-hyber"
version = release = django_hyber.__version__
language = "en"
# Texts of checks and commands have code in them: quotes and dashes stay as they are.
smartquotes = False
extensions = ["sphinx.ext.autodoc", "sphinx_copybutton", "reference"]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# Types in signatures are those of Python, Django and internal modules, which have no pages here.
nitpick_ignore_regex = [("py:(class|obj)", ".*")]
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "undoc-members": True, "exclude-members": "__init__, __new__"}
python_maximum_signature_line_length = 100
add_module_names = False
html_theme = "furo"
html_title = f"django-hyber {release}"
# Prompts and output of a console are not copied with the command.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
# Pages of other sites come and go; those of this one are checked by every build.
linkcheck_ignore = ["https?://"]
