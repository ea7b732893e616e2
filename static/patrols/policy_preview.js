/* The map beside a policy's dials: the chances that the server worked out lie over the agency's own lines. */
"use strict";
(() => {
  let map = null;
  let ready = false;
  let overlay = null;

  const show = () => {
    const data = document.getElementById("policy-preview-data");
    if (!ready || !data) { return; }
    const bounds = JSON.parse(data.dataset.bounds);
    if (overlay) { overlay.setUrl(data.dataset.overlay); overlay.setBounds(bounds); return; }
    overlay = L.imageOverlay(data.dataset.overlay, bounds, { opacity: 0.9, interactive: false, pane: map.getPane("chances") ? "chances" : "overlayPane" }).addTo(map);
    // The page is still being laid out when the map is made: without a second look it shows the world.
    map.invalidateSize();
    map.setMaxBounds(null);
    map.fitBounds(bounds, { padding: [8, 8] });
  };

  /* Dials that are not as the active policy has them stand out: their value when the page came says nothing, a link may hold them. */
  const mark = () => document.querySelectorAll(".dial[data-now]").forEach((dial) => {
    const field = dial.querySelector("input, select");
    const same = field.type === "number" ? Number(field.value) === Number(dial.dataset.now) : field.value === dial.dataset.now;
    dial.classList.toggle("dial--changed", !same);
  });
  document.addEventListener("input", mark);
  mark();

  window.addEventListener("map:init", async (event) => {
    map = event.detail.map;
    const holder = map.getContainer().closest(".policy-preview__map");
    if (holder.dataset.layers) {
      // Over streets and ground, under the lines of beats and districts.
      map.createPane("chances").style.zIndex = 365;
      map.getPane("chances").style.pointerEvents = "none";
      await MissionsMap.base(map, holder.dataset);
    } else {
      fetch(holder.dataset.contextUrl, { headers: { Accept: "application/json" } })
        .then((response) => (response.ok ? response.json() : { type: "FeatureCollection", features: [] }))
        .then((lines) => L.geoJSON(lines, { interactive: false, style: { color: "#5b6770", weight: 1, fill: false } }).addTo(map));
    }
    ready = true;
    show();
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "policy-preview") { show(); } });
  document.addEventListener("htmx:beforeRequest", (event) => { if (event.detail.target.id === "policy-preview") { event.detail.target.setAttribute("aria-busy", "true"); } });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.target.id === "policy-preview") { event.detail.target.removeAttribute("aria-busy"); } });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.target.id === "policy-preview") { event.detail.target.textContent = gettext("The preview could not be worked out. Your dials are still in the form; reload the page to try again."); }
  });
})();
