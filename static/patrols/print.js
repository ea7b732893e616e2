/* The print button works once the tactics are in place. */
"use strict";
(() => {
  const button = document.getElementById("print-button");
  const ready = () => { button.disabled = false; document.body.dataset.ready = "1"; };
  ["htmx:afterSettle", "htmx:responseError", "htmx:sendError"].forEach((name) => {
    document.body.addEventListener(name, (event) => { if (event.detail.target.id === "sheet-tactics" || event.detail.elt.id === "sheet-tactics") { ready(); } });
  });
  button.addEventListener("click", () => window.print());
})();
