/* The small map: the box in its beat, with the streets around it. Needs no tiles. */
"use strict";
window.addEventListener("map:init", (event) => {
  const map = event.detail.map;
  const holder = document.querySelector("[data-place]");
  // One finger scrolls the page; two fingers or the buttons move the map.
  map.scrollWheelZoom.disable();
  if (L.Browser.mobile || matchMedia("(pointer: coarse)").matches) { map.dragging.disable(); }

  // Their colour stands in officer.css: one read here would stay when the page turns at dusk, and white streets vanish on white.
  const styles = {
    beat: () => ({ className: "place-line", weight: 2, dashArray: "6 4", fill: false, opacity: 0.6 }),
    street: () => ({ className: "place-line", weight: 1.5, opacity: 0.45 }),
    other: (facts) => ({ color: facts.colour, weight: 1.5, fillOpacity: 0.12 }),
    box: (facts) => ({ color: facts.colour, weight: 4, fillOpacity: 0.35 }),
  };

  const label = (layer, text, className) => layer.bindTooltip(text, { permanent: true, direction: "center", className });

  const draw = (data) => {
    const layers = L.geoJSON(data, {
      interactive: false,
      style: (feature) => styles[feature.properties.kind](feature.properties),
      onEachFeature: (feature, layer) => {
        const facts = feature.properties;
        if (facts.kind === "box" || facts.kind === "other") { label(layer, `${facts.number}${facts.letter}`, "place-label"); }
      },
    }).addTo(map);
    layers.eachLayer((layer) => {
      if (layer.feature.properties.kind !== "box") { return; }
      map.fitBounds(layer.getBounds().pad(0.8), { animate: false });
      layer.bringToFront();
    });
  };

  MissionsAlerts.follow(map, holder.dataset);

  fetch(holder.dataset.place, { headers: { Accept: "application/geo+json" } })
    .then((response) => (response.ok ? response.json() : Promise.reject(new Error(String(response.status)))))
    .then(draw)
    .catch(() => { holder.querySelector(".place__error").hidden = false; });
});
