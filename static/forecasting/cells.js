/* The table of every cell: the reasons come beside it, or under it on a phone, and are brought into sight. */
"use strict";
(() => {
  const target = document.getElementById("cell");
  if (!target) { return; }
  const own = (event) => event.detail.target === target;
  document.body.addEventListener("htmx:beforeRequest", (event) => { if (own(event)) { target.setAttribute("aria-busy", "true"); } });
  document.body.addEventListener("htmx:afterRequest", (event) => { if (own(event)) { target.removeAttribute("aria-busy"); } });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (own(event) && window.matchMedia("(max-width: 900px)").matches) { target.scrollIntoView({ behavior: MissionsMap.still ? "auto" : "smooth", block: "start" }); }
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    if (own(event)) { target.textContent = gettext("The cell could not be loaded. Reload the page and try again."); }
  });
})();
