# ruff: noqa: E501 - the scripts read better on long lines
"""What a page must have so that everybody can use it, looked up in a browser: names, headings, tables, contrast.

The rules are those of WCAG 2.2 that a program can decide, each with the number of its success criterion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Returns sentences, none when all is well.
STRUCTURE = r"""() => {
  const wrong = [];
  const all = (query) => [...document.querySelectorAll(query)];
  const told = (element) => element.outerHTML.slice(0, 120);
  const name = (element) => {
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    const own = element.getAttribute("aria-label") ?? "";
    const labels = [...(element.labels ?? [])].map((label) => label.textContent).join(" ");
    return (own || labels || element.textContent).trim();
  };
  const need = (query, criterion) => all(query).forEach((element) => {
    if (!name(element)) wrong.push(`${criterion}: no name: ${told(element)}`);
  });
  need("a[href], button, summary", "4.1.2");
  need("input:not([type=hidden]), select, textarea, progress", "1.3.1");
  need("svg[role=img], [role=region], nav, section", "1.1.1");
  for (const element of all("input:not([type=hidden]), select")) {
    if (!element.labels.length) wrong.push(`3.3.2: no label: ${told(element)}`);
  }
  if (!document.documentElement.lang) wrong.push("3.1.1: the page has no language");
  if (!document.title.trim()) wrong.push("2.4.2: the page has no title");
  if (all("h1").length !== 1) wrong.push("1.3.1: not one h1");
  if (all("main").length !== 1) wrong.push("1.3.1: not one main");
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) wrong.push(`1.3.1: ${heading.tagName} after h${level}: ${told(heading)}`);
    level = next;
  }
  const ids = all("[id]").map((element) => element.id);
  for (const id of ids) if (ids.filter((other) => other === id).length > 1) wrong.push(`4.1.2: id twice: ${id}`);
  for (const element of all("[aria-labelledby], [aria-describedby]")) {
    for (const id of `${element.getAttribute("aria-labelledby") ?? ""} ${element.getAttribute("aria-describedby") ?? ""}`.split(/\s+/)) {
      if (id && !ids.includes(id)) wrong.push(`1.3.1: there is no ${id}: ${told(element)}`);
    }
  }
  for (const table of all("table")) {
    if (!table.querySelector("thead th[scope=col]")) wrong.push(`1.3.1: no headings: ${told(table)}`);
  }
  for (const list of all("ul, ol")) {
    if ([...list.children].some((child) => child.tagName !== "LI")) wrong.push(`1.3.1: a list of something else: ${told(list)}`);
  }
  for (const link of all("a[href^='#']")) {
    if (!document.getElementById(link.hash.slice(1))) wrong.push(`2.4.1: leads nowhere: ${told(link)}`);
  }
  for (const element of all("*")) {
    const scrolls = element.scrollWidth > element.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(element).overflowX);
    if (scrolls && element.tabIndex < 0) wrong.push(`2.1.1: the keyboard cannot scroll: ${told(element)}`);
    if (element.tabIndex > 0) wrong.push(`2.4.3: an order of its own: ${told(element)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push("1.4.10: the page is wider than the window");
  return wrong;
}"""

# Text against the nearest ground that is painted below it; 4.5, or 3 where it is large (1.4.3). Elements that are there for
# screen readers alone, and texts without a letter, are left out.
CONTRAST = r"""() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const box = at.tagName === "svg" ? at.querySelector(":scope > rect.box") : null;
      const colour = parse(box ? getComputedStyle(box).fill : getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return parse("Canvas");
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest(".hidden, title, option, progress")) continue;
    const style = getComputedStyle(element);
    const ink = light(parse(element.closest("svg") ? style.fill : style.color));
    const under = light(ground(element));
    const ratio = (Math.max(ink, under) + 0.05) / (Math.min(ink, under) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push({ text: walker.currentNode.data.trim().slice(0, 60), ratio, needs: large ? 3 : 4.5 });
  }
  return found;
}"""


def problems(page: Page) -> list[str]:
    """Return what keeps somebody from using the page as it is, in sentences."""
    wrong: list[str] = page.evaluate(STRUCTURE)
    texts = page.evaluate(CONTRAST)
    assert len(texts) > 10, "the page has no text to be measured"
    return wrong + [
        f"1.4.3: contrast {text['ratio']:.2f}, needs {text['needs']}: {text['text']}"
        for text in texts
        if text["ratio"] < text["needs"]
    ]
