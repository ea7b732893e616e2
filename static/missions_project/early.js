/* A click on a part that htmx loads, made while the page's scripts are still on their way, is kept and made again
   once they are there: on a slow connection the first click would otherwise be lost without a word. */
"use strict";
(() => {
  let kept = null;
  const keep = (event) => { kept = event.target.closest("[hx-get]") || kept; };
  document.addEventListener("click", keep, true);
  document.addEventListener("htmx:load", () => {
    document.removeEventListener("click", keep, true);
    if (kept && kept.isConnected) { kept.click(); }
  }, { once: true });
})();
