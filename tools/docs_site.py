"""Builds the documentation site: the pages of the repository, and a reference made of the code.

`python tools/docs_site.py [FOLDER]` writes HTML to FOLDER, `build/site` unless it is given. A link that
leads nowhere is an error, and so is everything else that the generator warns of.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from _site import api, protocol

ROOT: Final = Path(__file__).resolve().parent.parent
BOUND_S: Final = 600.0
PAGES: Final = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
LINK: Final = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
GUIDE: Final = re.compile(r"\]\((docs/[\w-]+)\.md\)")
CONFIGURATION: Final = """
project = "animus-routes"
extensions = ["myst_parser"]
root_doc = "index"
myst_heading_anchors = 4
html_theme = "furo"
html_title = "animus-routes"
nitpicky = True
# Blocks in the docs show output with `...` in it, which no lexer takes for JSON.
suppress_warnings = ["misc.highlighting_failure"]
"""
CONTENTS: Final = """

```{{toctree}}
:hidden:
:caption: {caption}

{pages}
```
"""


def main(arguments: list[str]) -> int:
    """Build; the exit code is 1 if a link is broken or the generator warns."""
    target = Path(arguments[0] if arguments else ROOT / "build" / "site").resolve()
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "source"
        collect(source)
        shutil.rmtree(target, ignore_errors=True)
        options = ["-q", "-W", "--keep-going", "-d", str(Path(place) / "kept"), "-b", "html"]
        command = [sys.executable, "-m", "sphinx", *options, str(source), str(target)]
        done = subprocess.run(command, check=False, timeout=BOUND_S)
    if done.returncode == 0:
        print(target / "index.html")
    return done.returncode


def collect(source: Path) -> None:
    """Everything that the site is made of, in one folder, as far apart as in the repository."""
    pages = [ROOT / name for name in PAGES] + sorted((ROOT / "docs").glob("*.md"))
    for page in pages:
        _copy(page, source)
    reference = {**protocol.pages(), **api.pages()}
    for name, text in reference.items():
        path = source / "reference" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    guides = GUIDE.findall((ROOT / "README.md").read_text("utf-8"))
    rest = [f"docs/{page.stem}" for page in pages if page.parent.name == "docs"]
    index = source / "README.md"
    text = index.read_text("utf-8")
    text += CONTENTS.format(caption="Guides", pages="\n".join(dict.fromkeys([*guides, *rest])))
    listed = [f"reference/{name}" for name in reference if not name.startswith("types/")]
    listed.append("reference/types/index")
    text += CONTENTS.format(caption="Reference", pages="\n".join(listed))
    text += CONTENTS.format(caption="The project", pages="CONTRIBUTING\nCHANGELOG")
    index.write_text(text, "utf-8")
    index.rename(source / "index.md")
    (source / "conf.py").write_text(CONFIGURATION, "utf-8")


def _copy(page: Path, source: Path) -> None:
    """One page, and the files that it links to."""
    text = page.read_text("utf-8")
    own = source / page.relative_to(ROOT)
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(re.sub(r"(\]\((?:\.\./)?)README\.md", r"\1index.md", text), "utf-8")
    for link in LINK.findall(text):
        found = (page.parent / link).resolve()
        if found.is_file() and found.suffix != ".md":
            beside = source / found.relative_to(ROOT)
            beside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, beside)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
