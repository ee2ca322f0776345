"""Markdown as HTML that needs no script: MathML for formulas, headings with anchors, tables that scroll in a box."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

NOTEBOOK_LINK = re.compile(r"(?:.*/)?(day\d+)/[^/]+\.ipynb$")
CHANNEL = re.compile(r'<span data-channel="(\S+?)">(.+?)</span>')
"""A channel that a lesson names: a link in the book, plain text in JupyterLab, where no page may run scripts."""
MICROSCOPE = re.compile(r"microscope\.html#\S+$")
START_PAGE = re.compile(r"(?:.*/)?start_here\.ipynb$")
MATHML = "http://www.w3.org/1998/Math/MathML"
BREAK_BEFORE, OPENING, CLOSING = set("=<>≤≥≈≠←→+−-"), set("([{⌊"), set(")]}⌋")


def mathml(latex: str, display: str = "inline") -> str:
    """A formula as MathML with its LaTeX as `alttext`.

    display : "inline" or "block". Raises ValueError for LaTeX that is broken, or has a command that is not known.
    """
    latex = latex.strip()
    try:
        formula = ElementTree.fromstring(convert(latex, display=display))
    except Exception as error:  # latex2mathml's errors have no class in common
        raise ValueError(f"expected whole LaTeX, got {latex!r} ({type(error).__name__})") from error
    if "\\" in "".join(formula.itertext()):
        raise ValueError(f"expected commands that latex2mathml knows, got {latex!r}: write the formula another way")
    formula.set("alttext", latex)
    if display == "block":
        break_into_parts(formula[0])
    ElementTree.register_namespace("", MATHML)
    return ElementTree.tostring(formula, encoding="unicode")


def break_into_parts(row: ElementTree.Element) -> None:
    """Group a row of MathML into rows that a narrow page can put below each other.

    A part begins at an operator that stands in no bracket, and ends at a space that is wider than a thin one.
    """
    parts: list[list[ElementTree.Element]] = [[]]
    depth = 0
    for child in list(row):
        row.remove(child)
        sign = child.text or ""
        depth += (sign in OPENING) - (sign in CLOSING)
        if parts[-1] and depth == 0 and sign in BREAK_BEFORE:
            child.set("form", "infix")  # the first operator of a row would be set as a sign
            parts.append([])
        parts[-1].append(child)
        if depth == 0 and child.tag.endswith("mspace") and float(child.get("width", "0em")[:-2]) > 0.25:
            parts.append([])
    for part in filter(None, parts):
        ElementTree.SubElement(row, f"{{{MATHML}}}mrow").extend(part)


def page_of(link: str) -> str:
    """The book's page for a link to a day's notebook, the start page or a channel; "" for any other link."""
    if MICROSCOPE.match(link):
        return link
    found = NOTEBOOK_LINK.match(link)
    return f"{found[1]}.html" if found else "index.html" if START_PAGE.match(link) else ""


class Text(IPythonRenderer):
    """nbconvert's renderer for one page, which puts each second-level heading and what follows into a section.

    `contents` collects (anchor, title, the same of its subsections) of each section. With `twins`, the sections named
    after PyTorch and Keras are marked as two ways to say the same. The page must close the last section.
    """

    def __init__(self, twins: bool = False) -> None:
        super().__init__(escape=False)
        self.contents: list[tuple[str, str, list[tuple[str, str]]]] = []
        self.twins = twins

    def render(self, source: str) -> str:
        """One Markdown cell as HTML."""
        return MarkdownWithMath(renderer=self).render(CHANNEL.sub(r"[\2](microscope.html#\1)", source))

    def heading(self, text: str, level: int, **attrs) -> str:
        title = re.sub(r"<[^>]+>", "", text)
        anchor = re.sub(r"\W+", "-", title).strip("-").lower()
        section = ""
        if level == 2:
            framework = re.match(r"\d+\. (PyTorch|Keras)", title) if self.twins else None
            mark = f' data-framework="{framework[1]}"' if framework else ""
            section = "</section>\n" * bool(self.contents) + f"<section{mark}>\n"
            self.contents.append((anchor, title, []))
        elif level == 3 and self.contents:
            self.contents[-1][2].append((anchor, title))
        return f'{section}<h{level} id="{anchor}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Links between notebooks lead to pages; a file of the repository is no part of the book, its name is text."""
        page = page_of(url)
        return super().link(text, page or url, title) if page or re.match("https?:|#", url) else text

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def block_math(self, body: str) -> str:
        return f'<span class="formula" tabindex="0">{mathml(body, "block")}</span>'

    def table(self, text: str) -> str:
        return f'<div class="table" tabindex="0"><table>{text}</table></div>\n'

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        return f'<th scope="col">{text}</th>' if head and text else f"<td>{text}</td>"

    def block_code(self, code: str, info: str | None = None) -> str:
        return super().block_code(code, info).replace("<pre>", '<pre tabindex="0">')
