"""What a person without a mouse checks on a page: Tab reaches everything, the focus is seen, nothing keeps it, targets are large enough."""

from __future__ import annotations

from typing import Any

MOST_TABS = 700
"""More presses than the longest page needs: a page that needs more keeps the focus."""

CONTROLS = """
window.__ours = (() => {
  const WANTED = "a[href], area[href], button, input:not([type=hidden]), select, textarea, summary, iframe, audio[controls], video[controls], "
    + "[role=button], [role=link], [role=tab], [role=checkbox], [role=menuitem], [tabindex]:not([tabindex='-1']), [contenteditable='true']";
  const name = (node) => {
    const said = node.getAttribute("aria-label") || node.value || node.textContent || node.name || "";
    return node.tagName.toLowerCase() + (node.id ? "#" + node.id : "") + [...node.classList].slice(0, 2).map((c) => "." + c).join("")
      + " “" + String(said).trim().replace(/\\s+/g, " ").slice(0, 30) + "”";
  };
  const seen = (node) => {
    if (!node.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })) { return false; }
    const box = node.getBoundingClientRect();
    // What a label draws in an input's stead is as large as the label.
    return box.width > 0 && box.height > 0;
  };
  /* The radio buttons of one name are one stop: arrows go through them. */
  const isStop = (node) => {
    if (node.disabled || node.closest("[inert]") || node.matches("fieldset:disabled *")) { return false; }
    if (node.type === "radio" && node.name) {
      const group = [...(node.form || document).querySelectorAll("input[type=radio]")].filter((one) => one.name === node.name && one.form === node.form);
      const chosen = group.find((one) => one.checked);
      return chosen ? chosen === node : group[0] === node;
    }
    return true;
  };
  const stops = () => [...document.querySelectorAll(WANTED)].filter((node) => seen(node) && isStop(node) && node.tagName !== "HTML");
  return { name, seen, stops };
})();
"""
UNREACHED = """() => window.__ours.stops().filter((node) => !window.__walked.has(node)).slice(0, 8).map(window.__ours.name)"""
"""Controls that a mouse can use and that Tab has not come by."""
MOUSE_ONLY = """() => [...document.querySelectorAll("[hx-get], [hx-post], [onclick], [data-choose]")]
  .filter((node) => {
    if (!window.__ours.seen(node)) { return false; }
    const trigger = node.getAttribute("hx-trigger");
    if (trigger && !/click/.test(trigger)) { return false; }
    return !node.matches("a[href], button, input, select, textarea, form, summary, [tabindex]") && !node.closest("[aria-hidden=true], svg[role=img]");
  }).slice(0, 8).map(window.__ours.name)"""
STEP = """(last) => {
  const node = document.activeElement;
  if (!node || node === document.body || node === document.documentElement) { return { end: true }; }
  const first = !window.__walked.has(node);
  const out = { name: window.__ours.name(node), again: !first, wrong: [] };
  window.__walked.add(node);
  if (!first) { return out; }
  if (last && window.__last && window.__last.isConnected && !(window.__last.compareDocumentPosition(node) & (Node.DOCUMENT_POSITION_FOLLOWING | Node.DOCUMENT_POSITION_CONTAINED_BY))) {
    out.wrong.push("comes before what stands before it");
  }
  window.__last = node;
  const box = node.getBoundingClientRect(), width = document.documentElement.clientWidth, height = window.innerHeight;
  if (node.tagName !== "IFRAME") {
    const look = (style) => [style.outlineStyle === "none" ? "" : style.outlineStyle + style.outlineWidth + style.outlineColor, style.boxShadow, style.borderColor, style.borderWidth, style.backgroundColor, style.textDecorationLine].join("|");
    const holders = [node, ...(node.labels || []), node.parentElement].filter(Boolean);
    const focused = holders.map((one) => look(getComputedStyle(one)));
    const ring = getComputedStyle(node);
    const hasRing = ring.outlineStyle !== "none" && parseFloat(ring.outlineWidth) >= 1;
    if (!hasRing) {
      node.blur();
      const plain = holders.map((one) => look(getComputedStyle(one)));
      node.focus({ preventScroll: true });
      if (focused.every((one, at) => one === plain[at])) { out.wrong.push("shows no focus"); }
    }
  }
  const visible = node.matches("input[type=checkbox], input[type=radio], input[type=file]") && node.labels && node.labels.length ? node.labels[0].getBoundingClientRect() : box;
  const x = [Math.max(visible.left, 0), Math.min(visible.right, width)], y = [Math.max(visible.top, 0), Math.min(visible.bottom, height)];
  if (x[1] - x[0] < 1 || y[1] - y[0] < 1) {
    out.wrong.push("has the focus outside the window");
  } else {
    const points = [0.5, 0.1, 0.9].flatMap((fx) => [0.5, 0.15, 0.85].map((fy) => [x[0] + (x[1] - x[0]) * fx, y[0] + (y[1] - y[0]) * fy]));
    const parts = [node, ...(node.labels || [])];
    const free = points.some(([px, py]) => { const top = document.elementFromPoint(px, py); if (!top) { return false; }
      // A shape on a map may lie under another of the same map.
      return parts.some((part) => part.contains(top) || top.contains(part)) || (node.ownerSVGElement && node.ownerSVGElement === top.ownerSVGElement); });
    if (!free) {
      const top = document.elementFromPoint(points[0][0], points[0][1]);
      out.wrong.push("is hidden under " + (top ? window.__ours.name(top) : "nothing"));
    }
  }
  return out;
}"""
SMALL = """() => {
  const LEAST = 24, found = [];
  const nodes = window.__ours.stops().filter((node) => !node.matches("[tabindex]:not(a):not(button)") && node.tagName !== "IFRAME");
  const boxes = nodes.map((node) => {
    let box = node.getBoundingClientRect();
    // A label is part of its input's target.
    for (const label of node.labels || []) { const one = label.getBoundingClientRect(); if (one.height > box.height || one.width > box.width) { box = new DOMRect(Math.min(box.left, one.left), Math.min(box.top, one.top), Math.max(box.right, one.right) - Math.min(box.left, one.left), Math.max(box.bottom, one.bottom) - Math.min(box.top, one.top)); } }
    return box;
  });
  /* Exempt: links within a sentence or a block of text, and boxes of the browser's own drawing. */
  const inText = (node) => {
    if (!node.matches("a, button, summary")) { return false; }
    if (getComputedStyle(node).display !== "inline") { return false; }
    const block = node.closest("p, li, td, th, dd, dt, figcaption, caption, label, small, div, h1, h2, h3, span");
    const around = node.parentElement;
    return [...around.childNodes].some((one) => one.nodeType === 3 && /[\\p{L}\\p{N}]/u.test(one.textContent)) || (block && block.textContent.trim().length > node.textContent.trim().length + 3);
  };
  nodes.forEach((node, at) => {
    const box = boxes[at];
    if (box.width >= LEAST - 0.5 && box.height >= LEAST - 0.5) { return; }
    if (inText(node)) { return; }
    // Spacing: a circle of 24 px around its middle meets no other target, nor the circle of another small one.
    const cx = box.left + box.width / 2, cy = box.top + box.height / 2;
    const meets = boxes.some((other, number) => {
      if (number === at || nodes[number].contains(node) || node.contains(nodes[number])) { return false; }
      const dx = Math.max(other.left - cx, 0, cx - other.right), dy = Math.max(other.top - cy, 0, cy - other.bottom);
      if (Math.hypot(dx, dy) < LEAST / 2 - 0.5) { return true; }
      if (other.width >= LEAST && other.height >= LEAST) { return false; }
      return Math.hypot(other.left + other.width / 2 - cx, other.top + other.height / 2 - cy) < LEAST - 0.5;
    });
    if (meets) { found.push(`${window.__ours.name(node)} is ${Math.round(box.width)} × ${Math.round(box.height)} px`); }
  });
  return found.slice(0, 8);
}"""


def walk(page: Any) -> list[str]:
    """Press Tab from the page's start to its end. What goes wrong, one line each; empty is what every page should be."""
    page.evaluate(CONTROLS)
    page.evaluate(
        "() => { window.__walked = new Set(); window.__last = null; window.scrollTo(0, 0);"
        # Not from a field that the page has put the cursor into: from the very start.
        " const start = document.createElement('span'); start.tabIndex = -1; document.body.prepend(start); start.focus(); start.remove(); }"
    )
    wrong: list[str] = []
    same = 0
    for number in range(MOST_TABS):
        page.keyboard.press("Tab")
        step = page.evaluate(STEP, number > 0)
        if step.get("end"):
            break
        wrong += [f"{step['name']} {line}" for line in step["wrong"]]
        # A date's parts, a player's knobs: one element that takes several presses. A full turn comes back to the first.
        same = same + 1 if step["again"] else 0
        if same > 12:
            break
    else:
        wrong.append(f"is not through after {MOST_TABS} presses")
    wrong += [f"{name} is not reached by Tab" for name in page.evaluate(UNREACHED)]
    wrong += [f"{name} is for a mouse only" for name in page.evaluate(MOUSE_ONLY)]
    return wrong


def tab_to(page: Any, selector: str, *, most: int = 250) -> None:
    """Press Tab until what the selector means has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{most} presses of Tab do not come to {selector}")


def focused(page: Any, selector: str) -> bool:
    """Whether the focus is on, or inside, what the selector means."""
    return bool(page.evaluate("(selector) => Boolean(document.activeElement.closest(selector))", selector))


SPACED = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*:not(svg *) { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""


def space_out(page: Any) -> None:
    """Widen lines, letters and words as WCAG 1.4.12 lets a reader do."""
    page.evaluate(SPACED)


def small_targets(page: Any) -> list[str]:
    """What is harder to hit than WCAG 2.5.8 allows: under 24 px, outside text, with another target near it."""
    page.evaluate(CONTROLS)
    return list(page.evaluate(SMALL))
