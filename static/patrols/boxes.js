/* Boxes of missions on any map: colour and hatching of the crime type, number and letter, the state by outline.
   MissionsBoxes.draw(map, geojson, {pane, choose(id), style(feature), grips}) returns the layer. With grips the number is
   something to take hold of: it carries data-grip, and pressing it does not drag the map. */
"use strict";
window.MissionsBoxes = (() => {
  const outlines = {
    "planned": { weight: 2, dashArray: "4 3" },
    "assigned": { weight: 2.5, dashArray: null },
    "under way": { weight: 5, dashArray: null },
    "done": { weight: 2, dashArray: null, fillOpacity: 0.25 },
    "missed": { weight: 1.5, dashArray: "2 4", fillOpacity: 0.3 },
    "withdrawn": { weight: 1, dashArray: "1 5", fillOpacity: 0 },
  };
  const signs = { "done": " ✓", "missed": " ✕", "under way": " ◐" };

  const style = (feature) => ({
    color: feature.properties.colour,
    fillColor: `url(#pattern-${feature.properties.crime_type})`,
    fillOpacity: 0.7,
    ...outlines[feature.properties.state],
  });

  /* Number, letter and state; letter and state give way when boxes are smaller than their labels. */
  const labelOf = (facts) => {
    const label = document.createElement("span");
    label.append(facts.text);
    const letter = document.createElement("i");
    letter.textContent = facts.letter;
    const sign = document.createElement("em");
    sign.textContent = signs[facts.state] || "";
    label.append(letter, sign);
    return label;
  };

  const makeGrip = (id, label, choose) => {
    label.dataset.grip = id;
    L.DomEvent.on(label, "mousedown touchstart", L.DomEvent.stopPropagation);
    // Not by way of the map: it heard of no press, and takes a click after it was dragged for the drag's own.
    label.addEventListener("click", (event) => { if (choose(id)) { event.stopPropagation(); } });
  };

  const draw = (map, data, options) => L.geoJSON(data, {
    style: options.style || style,
    pane: options.pane,
    onEachFeature: (feature, box) => {
      const facts = feature.properties;
      if (options.labels !== false) {
        box.bindTooltip(labelOf(facts), { permanent: true, direction: "center", interactive: Boolean(options.grips), className: `mission-label type-${facts.crime_type}` });
        if (options.grips) { box.on("tooltipopen", () => makeGrip(feature.id, box.getTooltip().getElement(), options.choose)); }
      }
      if (options.choose) {
        box.on("click", (event) => {
          if (options.choose(feature.id)) { L.DomEvent.stopPropagation(event); }
        });
      }
    },
  }).addTo(map);

  /* Labels as large as the boxes have room for: numbers alone when small, none when hundreds lie on a whole city. */
  const fitLabels = (map, boxes, holder) => {
    const first = boxes && boxes.getLayers()[0];
    if (!first) { return; }
    const bounds = first.getBounds();
    const width = map.latLngToLayerPoint(bounds.getNorthEast()).x - map.latLngToLayerPoint(bounds.getSouthWest()).x;
    holder.classList.toggle("board__map--far", width < 26);
    holder.classList.toggle("board__map--mid", width < 48);
    holder.classList.toggle("board__map--city", width < 8 && boxes.getLayers().length > 150);
    // Leaflet centred them by the width that they had before.
    boxes.eachLayer((box) => { if (box.getTooltip()) { box.getTooltip().update(); } });
  };

  return { draw, style, fitLabels };
})();
