/* The map beside a policy's dials: the chances that the server worked out lie over the agency's own lines. */
"use strict";
(() => {
  let map = null;
  let overlay = null;

  const show = () => {
    const data = document.getElementById("policy-preview-data");
    if (!map || !data) { return; }
    const bounds = JSON.parse(data.dataset.bounds);
    if (overlay) { overlay.setUrl(data.dataset.overlay); overlay.setBounds(bounds); return; }
    overlay = L.imageOverlay(data.dataset.overlay, bounds, { opacity: 0.9, interactive: false }).addTo(map);
    // The page is still being laid out when the map is made: without a second look it shows the world.
    map.invalidateSize();
    map.setMaxBounds(null);
    map.fitBounds(bounds, { padding: [8, 8] });
  };

  window.addEventListener("map:init", (event) => {
    map = event.detail.map;
    const holder = map.getContainer().closest("[data-context-url]");
    fetch(holder.dataset.contextUrl, { headers: { Accept: "application/json" } })
      .then((response) => (response.ok ? response.json() : { type: "FeatureCollection", features: [] }))
      .then((lines) => L.geoJSON(lines, { interactive: false, style: { color: "#5b6770", weight: 1, fill: false } }).addTo(map));
    show();
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "policy-preview") { show(); } });
  document.addEventListener("htmx:beforeRequest", (event) => { if (event.detail.target.id === "policy-preview") { event.detail.target.setAttribute("aria-busy", "true"); } });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.target.id === "policy-preview") { event.detail.target.removeAttribute("aria-busy"); } });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.target.id === "policy-preview") { event.detail.target.textContent = "The preview could not be worked out. Your dials are still in the form; reload the page to try again."; }
  });
})();
