/* Asks the service worker to keep this shift's pages, their files and small maps for a dead zone, and says when a copy is shown. */
"use strict";
(() => {
  const page = document.getElementById("officer");
  if (!page) { return; }
  const told = page.dataset;
  const line = document.querySelector("[data-kept-copy]");
  const clock = (instant) => {
    const options = { hour: "2-digit", minute: "2-digit", hour12: document.documentElement.dataset.clock === "12" };
    try { return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: told.zone }).format(instant); } catch { return new Intl.DateTimeFormat("en-GB", options).format(instant); }
  };
  if (told.fresh !== "1") {
    line.hidden = false;
    line.textContent = interpolate(gettext("No connection. This page is from %(at)s; what you press is kept and sent later."), { at: clock(Date.parse(told.now)) }, true);
    document.body.classList.add("is-offline");
  }
  if (!navigator.serviceWorker) { return; }

  const files = () => [...document.querySelectorAll('link[rel~="stylesheet"], link[rel~="icon"], script[src]')].map((element) => element.href || element.src);
  const pages = () => [told.home, location.pathname + location.search, ...[...document.querySelectorAll("[data-row] a")].map((link) => link.getAttribute("href"))];
  const maps = () => {
    const query = told.unit ? `?unit=${encodeURIComponent(told.unit)}` : "";
    return [...document.querySelectorAll("[data-row]")].map((row) => `${told.base}${row.dataset.row}/place.geojson${query}`);
  };

  const keep = async (anew) => {
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage({ kind: "keep", person: told.person, pages: [...new Set(pages())], files: files(), maps: maps(), anew });
  };
  navigator.serviceWorker.addEventListener("message", (event) => { if (event.data && event.data.kind === "kept") { told.kept = String(event.data.pages); } });
  navigator.serviceWorker.register(told.worker, { scope: told.scope }).then(() => { if (told.fresh === "1") { keep(false); } }).catch(() => {});
  // What was kept is from before what was just sent.
  document.addEventListener("missions:synced", () => { keep(true); });
})();
