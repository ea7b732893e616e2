"""What a demanding reader checks on a page in a browser: axe's rules, width, weight, movement, and who is asked for what."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""WCAG 2.2, levels A and AA."""
MOST_BYTES = 350_000
MOST_SHIFT = 0.05
COMPRESSES = re.compile(r"text/|image/svg|application/(json|geo\+json|javascript|manifest)")
NARROW, ZOOMED = (360, 740), (720, 450)
"""A small phone; a laptop of 1440 × 900 at 200 %."""

WATCH_SHIFTS = """
window.__shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) { if (!entry.hadRecentInput) { window.__shift += entry.value; } }
}).observe({ type: "layout-shift", buffered: true });
"""
WIDER_THAN_ITSELF = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth <= width && document.body.scrollWidth <= width) { return found; }
  const inside = (node) => {
    for (let at = node.parentElement; at && at !== document.body; at = at.parentElement) {
      const how = getComputedStyle(at);
      if (how.overflowX !== "visible" || how.position === "fixed") { return true; }
    }
    return false;
  };
  for (const node of document.body.querySelectorAll("*")) {
    const box = node.getBoundingClientRect();
    if (box.width && box.right > width + 1 && !inside(node)) {
      const name = node.tagName.toLowerCase() + (node.id ? "#" + node.id : "") + [...node.classList].map((c) => "." + c).join("");
      found.push(`${name} ends at ${Math.round(box.right)}`);
    }
  }
  return found.length ? found.slice(0, 6) : ["something"];
}"""
CUT_OFF = """() => {
  const found = [];
  for (const node of document.querySelectorAll("h1, h2, h3, p, li, dt, dd, td, th, label, legend, .button, button, summary")) {
    const how = getComputedStyle(node), box = node.getBoundingClientRect();
    if (!box.width || how.visibility === "hidden" || node.closest("[data-may-be-cut], .leaflet-container, .sr-only, .visually-hidden, .visuallyhidden")) { continue; }
    const hides = (value) => value === "hidden" || value === "clip";
    const told = how.textOverflow === "ellipsis";
    if ((hides(how.overflowX) && !told && node.scrollWidth > node.clientWidth + 2) ||
        (hides(how.overflowY) && node.scrollHeight > node.clientHeight + 4)) {
      found.push(node.tagName.toLowerCase() + "." + [...node.classList].join(".") + ": " + node.textContent.trim().slice(0, 40));
    }
  }
  return found.slice(0, 6);
}"""


@cache
def axe_source() -> str:
    """The rules' script, as the development package carries it."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


COLOUR_RULES = ["color-contrast", "link-in-text-block"]
"""What can differ between two themes of one page."""


def violations(page: Any, rules: list[str] | None = None, *, within: str = "") -> list[str]:
    """What axe finds on the page as it stands: one line for each rule, with up to three places. All rules of WCAG, or these.

    ``within``: a selector that something on the page answers to; the rest is not looked at.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(axe_source())
    found = page.evaluate(
        "([type, values, within]) => axe.run(within ? { include: [within] } : document, { runOnly: { type, values }, resultTypes: ['violations'] })"
        ".then((r) => r.violations.map((v) => [v.id, v.help, v.nodes.length,"
        " v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' [' + (n.any[0]?.message || n.all[0]?.message || n.none[0]?.message || '') + ']')]))",
        ["rule", rules, within] if rules else ["tag", RULES, within],
    )
    return [f"{rule} ({count}×): {words}: {'; '.join(places)}" for rule, words, count, places in found]


FOLDED = "main details"


def open_all(page: Any) -> bool:
    """Open what is ``FOLDED`` up on the page, and say whether there was anything."""
    return bool(
        page.evaluate(
            "() => { const all = [...document.querySelectorAll('main details:not([open])')];"
            " for (const one of all) { one.open = true; } return all.length; }"
        )
    )


@dataclass
class Traffic:
    """What one page asked for: its answers, and hosts other than its own."""

    answers: list[Any] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)

    def compressed_bytes(self) -> int:
        """Bytes of all answers as a web server sends them: text by gzip, pictures as they are. Tiles are not counted."""
        total = 0
        for answer in self.answers:
            if answer.status != 200 or answer.url.startswith("data:"):
                continue
            kind, body = answer.headers.get("content-type", ""), answer.body()
            total += len(gzip.compress(body, 6) if COMPRESSES.match(kind) else body)
        return total


def watch_traffic(page: Any, own: str, tiles: frozenset[str] = frozenset()) -> Traffic:
    """Note what the page loads from now on, from its own host and from others that are no tile servers."""
    traffic = Traffic()

    def asked(request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc not in {own, *tiles}:
            traffic.strangers.add(address.netloc)

    def answered(response: Any) -> None:
        if urlsplit(response.url).netloc == own:
            traffic.answers.append(response)

    page.on("request", asked)
    page.on("response", answered)
    return traffic


def shift_of(page: Any) -> float:
    """How far late content has pushed what stood already (cumulative layout shift); ``WATCH_SHIFTS`` must have run before."""
    return float(page.evaluate("() => window.__shift || 0"))


def too_wide(page: Any, size: tuple[int, int]) -> list[str]:
    """What makes the page scroll sideways at this size, and texts that are cut."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_timeout(60)
    wide = [f"at {size[0]} px: {place}" for place in page.evaluate(WIDER_THAN_ITSELF)]
    return wide + [f"at {size[0]} px cut: {place}" for place in page.evaluate(CUT_OFF)]
