/* Two shifts on one map: A in solid outlines, B in dashed ones; boxes of both carry both. */
"use strict";
window.addEventListener("map:init", async (event) => {
  const map = event.detail.map;
  const holder = document.querySelector(".pair__map");
  map.createPane("missions").style.zIndex = 450;
  MissionsMap.base(map, holder.dataset);
  const [a, b] = await Promise.all([MissionsMap.getJson(holder.dataset.a), MissionsMap.getJson(holder.dataset.b)]);
  const ink = () => MissionsMap.token("--ink");
  const styleA = (feature) => ({ ...MissionsBoxes.style(feature), color: ink(), weight: 2.5, dashArray: null, fillOpacity: 0.6 });
  const styleB = (feature) => ({ ...MissionsBoxes.style(feature), color: MissionsMap.token("--accent"), weight: 3.5, dashArray: "5 4", fillOpacity: 0.3 });
  const layers = [
    MissionsBoxes.draw(map, a, { pane: "missions", style: styleA, labels: false }),
    MissionsBoxes.draw(map, b, { pane: "missions", style: styleB, labels: false }),
  ];
  layers.forEach((layer, number) => layer.eachLayer((box) => {
    const facts = box.feature.properties;
    box.bindTooltip(document.createTextNode(`${number ? "B" : "A"} ${facts.text}${facts.letter} ${facts.place}, ${facts.state}`), { sticky: true });
  }));
  const all = L.featureGroup(layers);
  if (a.features.length + b.features.length) { map.fitBounds(all.getBounds(), { padding: [24, 24], maxZoom: 15 }); }
});
