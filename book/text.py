"""Markdown as HTML that needs no script: MathML for formulas, headings with anchors, tables that scroll in a box."""

from __future__ import annotations

import re
from html import escape

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

NOTEBOOK_LINK = re.compile(r"(?:.*/)?(day\d+)/[^/]+\.ipynb$")


def mathml(latex: str, display: str = "inline") -> str:
    """A formula as MathML with its LaTeX as `alttext`.

    display : "inline" or "block". Raises ValueError for LaTeX that is broken, or has a command that is not known.
    """
    latex = latex.strip()
    try:
        formula = convert(latex, display=display)
    except Exception as error:  # latex2mathml's errors have no class in common
        raise ValueError(f"expected whole LaTeX, got {latex!r} ({type(error).__name__})") from error
    if "\\" in formula:
        raise ValueError(f"expected commands that latex2mathml knows, got {latex!r}: write the formula another way")
    return formula.replace("<math ", f'<math alttext="{escape(latex)}" ', 1)


def page_of(link: str) -> str:
    """The book's page for a link to a day's notebook; "" for any other link."""
    found = NOTEBOOK_LINK.match(link)
    return f"{found[1]}.html" if found else ""


class Text(IPythonRenderer):
    """nbconvert's renderer for one page; `contents` collects anchor and title of each second-level heading."""

    def __init__(self) -> None:
        super().__init__(escape=False)
        self.contents: list[tuple[str, str]] = []

    def render(self, source: str) -> str:
        """One Markdown cell as HTML."""
        return MarkdownWithMath(renderer=self).render(source)

    def heading(self, text: str, level: int, **attrs) -> str:
        title = re.sub(r"<[^>]+>", "", text)
        anchor = re.sub(r"\W+", "-", title).strip("-").lower()
        if level == 2:
            self.contents.append((anchor, title))
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

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
