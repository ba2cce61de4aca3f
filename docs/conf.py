"""The documentation site: ``make docs`` builds it into docs/_build/html."""

from __future__ import annotations

import django_hyber

project = "django-hyber"
version = release = django_hyber.__version__
language = "en"
extensions = ["sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = True
html_theme = "furo"
html_title = f"django-hyber {release}"
# Prompts and output of a console are not copied with the command.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
