/* The risk map: the surface as one picture, top cells, incidents, and a click that asks why. */
"use strict";
(() => {
  const holder = document.getElementById("risk-map");
  const read = (id) => { const found = document.getElementById(id); return found ? JSON.parse(found.textContent) : null; };
  const colours = read("risk-type-colours") || {};
  let map = null;
  let square = null;

  const switchFor = (name, layer, on) => {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = on;
    box.addEventListener("change", () => { if (box.checked) { layer.addTo(map); } else { layer.remove(); } });
    const label = document.createElement("label");
    label.append(box, document.createTextNode(` ${name}`));
    layer.on("failed", () => { label.append(gettext(" (could not be loaded)")); box.checked = false; layer.remove(); });
    document.getElementById("layer-switch").append(label);
  };

  const cellStyle = () => ({ color: MissionsMap.token("--ink"), weight: 2, fill: false, pane: "risk-top" });

  const ask = (query) => htmx.ajax("GET", `${holder.dataset.cell}?${query}`, { target: "#cell", swap: "innerHTML" });

  const showSurface = () => {
    const overlay = L.imageOverlay(holder.dataset.overlay, read("risk-bounds"), { pane: "risk-surface", opacity: 0.9 }).addTo(map);
    document.getElementById("opacity").addEventListener("input", (event) => overlay.setOpacity(event.target.value / 100));
    MissionsMap.legend(map, holder.dataset.legendTitle, read("risk-legend"), holder.dataset.legendNote);
    return overlay;
  };

  const topCells = () => MissionsMap.lazy(holder.dataset.top, {
    pane: "risk-top",
    style: cellStyle,
    interactive: false,
  });

  const incidents = () => {
    const renderer = L.canvas({ pane: "risk-incidents" });
    return MissionsMap.lazy(holder.dataset.incidents, {
      pane: "risk-incidents",
      interactive: false,
      pointToLayer: (feature, at) => L.circleMarker(at, {
        renderer, interactive: false, radius: 3.5, weight: 1, color: "#000", fillColor: colours[feature.properties.type] || "#fff", fillOpacity: 0.9,
      }),
    });
  };

  const start = async () => {
    [["risk-surface", 380], ["risk-top", 430], ["risk-incidents", 425]].forEach(([name, z]) => {
      const pane = map.createPane(name);
      pane.style.zIndex = z;
      pane.style.pointerEvents = "none";
    });
    if (!holder.dataset.overlay) {
      const based = MissionsMap.base(map, holder.dataset);
      MissionsAlerts.follow(map, holder.dataset, based);
      await based;
      return;
    }
    const surface = showSurface();
    const top = topCells().addTo(map);
    const based = MissionsMap.base(map, holder.dataset, { control: false, hide: ["risk"] });
    switchFor(gettext("Risk surface"), surface, true);
    switchFor(gettext("Top 20 cells"), top, true);
    switchFor(gettext("Incidents, 28 days before"), incidents(), false);
    // What the sensors hear now, over what was expected of this shift.
    const alerts = MissionsAlerts.follow(map, holder.dataset);
    if (alerts) { switchFor(gettext("Gunfire alerts, 24 hours"), alerts, true); }
    MissionsKeys.aim(map, gettext("Risk map. Arrows move it, plus and minus zoom, Enter asks about the place under the cross. The top cells are in a table."));
    map.on("click", (event) => ask(`lon=${event.latlng.lng.toFixed(6)}&lat=${event.latlng.lat.toFixed(6)}`));
    const layers = await based;
    Object.values(layers).filter((row) => row.kind !== "boundary").forEach((row) => switchFor(row.name, row.layer, map.hasLayer(row.layer)));
  };

  window.addEventListener("map:init", (event) => { map = event.detail.map; start(); });

  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "cell" || !map) { return; }
    if (square) { square.remove(); square = null; }
    const polygon = read("cell-polygon");
    if (!polygon) { return; }
    square = L.geoJSON(polygon, { style: { color: "#d81b60", weight: 4, fill: false }, interactive: false, pane: "risk-top" }).addTo(map);
    if (!map.getBounds().contains(square.getBounds())) { map.panTo(square.getBounds().getCenter()); }
    // On a phone the answer lies below the map: bring it into view.
    if (window.matchMedia("(max-width: 900px)").matches) { event.detail.target.scrollIntoView({ behavior: MissionsMap.still ? "auto" : "smooth", block: "start" }); }
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    if (event.detail.target.id === "cell") { event.detail.target.textContent = gettext("The cell could not be loaded. Reload the page and try again."); }
  });
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target.id === "cell") { event.detail.target.setAttribute("aria-busy", "true"); }
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.target.id === "cell") { event.detail.target.removeAttribute("aria-busy"); }
  });

  const picker = document.getElementById("risk-picker");
  if (picker) {
    picker.addEventListener("change", (event) => { if (event.target.value && event.target.name !== "date") { picker.submit(); } });
  }
  const waiting = document.querySelector("[data-reload-seconds]");
  if (waiting) { setTimeout(() => window.location.reload(), 1000 * Number(waiting.dataset.reloadSeconds)); }
})();
