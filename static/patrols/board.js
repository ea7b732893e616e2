/* The shift map: mission boxes over the agency's own layers; list and map choose the same mission. */
"use strict";
(() => {
  const holder = document.querySelector(".board__map");
  const drawer = document.getElementById("drawer");
  let map = null;
  let boxes = null;
  let chosen = null;

  const stateStyle = {
    "planned": { weight: 2, dashArray: "4 3" },
    "assigned": { weight: 2.5, dashArray: null },
    "under way": { weight: 5, dashArray: null },
    "done": { weight: 2, dashArray: null, fillOpacity: 0.15 },
    "missed": { weight: 1.5, dashArray: "2 4", fillOpacity: 0.1 },
    "withdrawn": { weight: 1, dashArray: "1 5", fillOpacity: 0 },
  };

  const style = (feature) => ({
    color: feature.properties.colour,
    fillColor: feature.properties.colour,
    fillOpacity: 0.45,
    ...stateStyle[feature.properties.state],
  });

  /* Number and letter; the letter gives way when boxes are smaller than their labels. */
  const labelOf = (facts) => {
    const label = document.createElement("span");
    label.append(String(facts.number));
    const letter = document.createElement("i");
    letter.textContent = facts.letter;
    label.append(letter);
    return label;
  };

  const fitLabels = () => {
    const first = boxes && boxes.getLayers()[0];
    if (!first) { return; }
    const bounds = first.getBounds();
    const width = map.latLngToLayerPoint(bounds.getNorthEast()).x - map.latLngToLayerPoint(bounds.getSouthWest()).x;
    holder.classList.toggle("board__map--far", width < 26);
    /* Hundreds of labels on a whole city hide it: there the boxes alone show where missions are. */
    holder.classList.toggle("board__map--city", width < 8 && boxes.getLayers().length > 150);
  };

  const mark = () => {
    document.querySelectorAll("[data-mission]").forEach((row) => {
      row.setAttribute("aria-current", String(row.dataset.mission === chosen));
    });
    if (boxes) {
      boxes.eachLayer((box) => {
        box.setStyle(style(box.feature));
        if (String(box.feature.id) === chosen) { box.setStyle({ weight: 6 }); box.bringToFront(); }
      });
    }
  };

  const choose = (id, moveMap) => {
    chosen = String(id);
    mark();
    if (moveMap && boxes) {
      boxes.eachLayer((box) => { if (String(box.feature.id) === chosen) map.panTo(box.getBounds().getCenter()); });
    }
  };

  const loadBoxes = async () => {
    const response = await fetch(holder.dataset.missions, { headers: { Accept: "application/geo+json" } });
    if (!response.ok) { return; }
    const data = await response.json();
    const first = boxes === null;
    if (boxes) { boxes.remove(); }
    boxes = L.geoJSON(data, {
      style,
      pane: "missions",
      onEachFeature: (feature, box) => {
        const facts = feature.properties;
        box.bindTooltip(labelOf(facts), { permanent: true, direction: "center", className: `mission-label type-${facts.crime_type}` });
        box.on("click", (event) => {
          L.DomEvent.stopPropagation(event);
          choose(feature.id, false);
          const row = document.querySelector(`[data-mission="${feature.id}"]`);
          if (row) { row.scrollIntoView({ block: "nearest" }); row.click(); }
        });
      },
    }).addTo(map);
    fitLabels();
    if (first && data.features.length) { map.fitBounds(boxes.getBounds(), { padding: [30, 30], maxZoom: 15 }); }
    mark();
  };

  const prepareAdding = () => {
    const form = document.getElementById("add-form");
    if (!form) { return; }
    let pin = null;
    map.on("click", (event) => {
      if (!form.parentElement.open) { return; }
      form.elements.lon.value = event.latlng.lng.toFixed(6);
      form.elements.lat.value = event.latlng.lat.toFixed(6);
      if (pin) { pin.remove(); }
      pin = L.circleMarker(event.latlng, { radius: 7, color: "#000", fillColor: "#fff", fillOpacity: 1 }).addTo(map);
      document.getElementById("add-hint").textContent = "Place chosen. Click again to move it.";
    });
  };

  window.addEventListener("map:init", (event) => {
    map = event.detail.map;
    map.createPane("missions").style.zIndex = 450;
    MissionsAlerts.follow(map, holder.dataset, MissionsMap.base(map, holder.dataset));
    map.on("zoomend", fitLabels);
    loadBoxes();
    prepareAdding();
  });

  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "drawer") { drawer.hidden = false; drawer.focus(); }
    if (event.detail.target.id === "list") { loadBoxes(); }
  });
  document.body.addEventListener("click", (event) => {
    const row = event.target.closest("[data-mission]");
    if (row) { choose(row.dataset.mission, true); }
    if (event.target.closest("[data-close-drawer]")) { drawer.hidden = true; chosen = null; mark(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !drawer.hidden) { drawer.hidden = true; chosen = null; mark(); }
  });
})();
