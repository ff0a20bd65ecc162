"""What the documentation site shows beside docs/: README and its like, linked files, reference.

MkDocs calls `on_files` and `on_page_markdown` (mkdocs.yml, `hooks`). Documents are written for a
reader of the repository; their links are turned here to where the site has what they lead to.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "msnode"

DOCUMENTS = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "models/hybrid/CARD.md": "card.md",
}
"""Pages of the site that lie outside of docs/: path in the repository, and on the site."""

LINK = re.compile(r"(?<=\]\()[^)#\s]+")
"""Where a Markdown link leads, without the anchor."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents, what they and the pages link to, and the reference."""
    for origin, place in DOCUMENTS.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / origin)))
    for origin in sorted(_linked(files)):
        files.append(File.generated(config, _on_site(origin), abs_src_path=str(ROOT / origin)))
    for place, content in _reference():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page that lead to a file of the repository to its place on the site."""
    del config, files
    here = page.file.src_uri
    if here == "index.md":  # is alone in its section
        page.meta["hide"] = ["navigation"]

    def turned(match: re.Match[str]) -> str:
        origin = _target(_origin(here), match[0])
        if origin is None:
            return match[0]
        return posixpath.relpath(_on_site(origin), posixpath.dirname(here) or ".")

    return LINK.sub(turned, markdown)


def _linked(files: Files) -> set[str]:
    """Files of the repository that pages link to, and that are not on the site yet."""
    found = set()
    for page in files.documentation_pages():
        for match in LINK.finditer(page.content_string):
            origin = _target(_origin(page.src_uri), match[0])
            if origin is not None and origin not in DOCUMENTS and not origin.startswith("docs/"):
                found.add(origin)
    return found


def _target(origin: str, link: str) -> str | None:
    """The file of the repository that a link in another one leads to; None where it is none."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    return path if not path.startswith("..") and (ROOT / path).is_file() else None


def _origin(place: str) -> str:
    """The file of the repository that a page is made of."""
    return next((origin for origin, on in DOCUMENTS.items() if on == place), f"docs/{place}")


def _on_site(origin: str) -> str:
    """Where the site has a file of the repository, without the dot that would hide it."""
    if origin in DOCUMENTS:
        return DOCUMENTS[origin]
    if origin.startswith("docs/"):
        return origin.removeprefix("docs/")
    return "files/" + "/".join(name.lstrip(".") for name in origin.split("/"))


def _reference() -> Iterator[tuple[str, str]]:
    """A page for each package, with all its modules, and one that lists the packages."""
    pages: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        names = path.relative_to(PACKAGE).with_suffix("").parts
        if names[0].startswith("__") or "migrations" in names:
            continue
        module = ".".join(("msnode", *names)).removesuffix(".__init__")
        pages.setdefault(names[0], []).append(module)
    for name, modules in pages.items():
        lines = [f"# msnode.{name}", "", *(_documented(module) for module in sorted(modules))]
        yield f"reference/{name}.md", "\n".join(lines)
    links = (f"- [msnode.{name}]({name}.md)" for name in sorted(pages))
    intro = "Made from the docstrings. [Architecture](../architecture.md) says what lies where."
    yield "reference/index.md", "\n".join(["# Reference", "", intro, "", *links, ""])


def _documented(module: str) -> str:
    """The directive that shows a module; a package shows its docstring, its modules follow."""
    lines = [f"::: {module}", "    options:", "      show_source: false"]
    if (ROOT / module.replace(".", "/")).is_dir():
        lines.append("      members: false")
    if module.count(".") == 1:  # it is the page's title
        lines += ["      show_root_heading: false", "      show_root_toc_entry: false"]
    return "\n".join([*lines, ""])
