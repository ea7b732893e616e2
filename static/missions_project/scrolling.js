/* A table that is wider than its place scrolls inside it. Whoever has no mouse must be able to get there: while something
   is hidden, the place can be focused, and it is called what its table or heading is called. */
"use strict";
(() => {
  const PLACES = ".scroll, .table-wide, .results, .policy-preview__figures, figure, pre";
  const FOCUSABLE = "a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea, summary, [tabindex='0']";
  const nameOf = (place) => {
    const caption = place.querySelector("caption, figcaption");
    if (caption) { return caption.textContent.trim(); }
    for (let at = place; at && at.id !== "main"; at = at.parentElement) {
      for (let before = at.previousElementSibling; before; before = before.previousElementSibling) {
        if (/^H[1-6]$/.test(before.tagName)) { return before.textContent.trim(); }
      }
    }
    return document.title;
  };
  const look = () => document.querySelectorAll(PLACES).forEach((place) => {
    const hides = place.scrollWidth > place.clientWidth + 1 || place.scrollHeight > place.clientHeight + 1;
    if (hides && !place.hasAttribute("tabindex") && !place.querySelector(FOCUSABLE)) {
      place.tabIndex = 0;
      place.dataset.scrolls = "";
      if (!place.hasAttribute("role")) { place.setAttribute("role", "region"); }
      if (!place.hasAttribute("aria-label")) { place.setAttribute("aria-label", nameOf(place).slice(0, 120)); }
    } else if (!hides && "scrolls" in place.dataset) {
      place.removeAttribute("tabindex");
      delete place.dataset.scrolls;
    }
  });
  /* A row of tabs that is wider than a phone shows the page that is open, not only the first ones. */
  const tab = () => document.querySelectorAll(".topbar__tabs [aria-current='page'], .account__pages [aria-current='page']").forEach((open) => {
    const row = open.parentElement;
    row.scrollLeft = Math.max(0, open.offsetLeft - row.offsetLeft + open.offsetWidth - row.clientWidth + 8);
  });
  window.addEventListener("load", tab);
  let asked = 0;
  const soon = () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(look); };
  window.addEventListener("load", soon);
  window.addEventListener("resize", soon);
  document.addEventListener("DOMContentLoaded", soon);
  document.addEventListener("htmx:afterSettle", soon);
  document.addEventListener("toggle", soon, true);
})();
