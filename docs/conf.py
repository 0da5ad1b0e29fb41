"""How Sphinx builds the site: ``make docs``."""

from __future__ import annotations

import os

# Airflow's configuration is read at import; the build writes nothing below the home of who runs it.
os.environ.setdefault("AIRFLOW_HOME", os.path.join(os.path.dirname(os.path.dirname(__file__)), ".docconv", "docs-home"))
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "True")

from airflow_provider_docconv import __version__

project = "airflow-provider-docconv"
author = "The airflow-provider-docconv maintainers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["images"]
myst_enable_extensions = ["deflist", "fieldlist"]
# As a code host makes them, which shows the same pages.
myst_heading_anchors = 4

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autoclass_content = "both"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"airflow-provider-docconv {release}"
html_theme_options = {
    "source_repository": "https://github.com/docconv/airflow-provider-docconv/",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_here_doc_delimiter = "END"
