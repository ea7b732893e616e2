/* Places chosen without a mouse. A map that asks for a place shows a cross in its middle while it has the focus: arrows
   move the map under it, plus and minus zoom, Enter is a click there. Whoever sees no map types the coordinates.
   MissionsKeys.aim(map, label) prepares a map; MissionsKeys.pairs(text) reads "38.5731, -121.48; …" as [lat, lon] pairs. */
"use strict";
window.MissionsKeys = (() => {
  const aim = (map, label) => {
    const holder = map.getContainer();
    const cross = document.createElement("span");
    cross.className = "map-aim";
    cross.setAttribute("aria-hidden", "true");
    holder.append(cross);
    // Readers of screens keep the arrows for themselves everywhere but in an application.
    holder.setAttribute("role", "application");
    holder.setAttribute("aria-label", label);
    holder.addEventListener("keydown", (event) => {
      if (event.target !== holder || (event.key !== "Enter" && event.key !== " ") || event.ctrlKey || event.metaKey || event.altKey) { return; }
      event.preventDefault();
      const latlng = map.getCenter();
      const containerPoint = map.latLngToContainerPoint(latlng);
      map.fire("click", { latlng, containerPoint, layerPoint: map.containerPointToLayerPoint(containerPoint), originalEvent: event });
    });
  };

  /* null: not pairs of a latitude and a longitude. Commas may part numbers, so decimals need a point. */
  const pairs = (text) => {
    const numbers = (text.match(/-?\d+(\.\d+)?/g) || []).map(Number);
    const found = [];
    for (let at = 0; at + 1 < numbers.length; at += 2) { found.push([numbers[at], numbers[at + 1]]); }
    const fits = ([lat, lon]) => Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
    return found.length && numbers.length % 2 === 0 && found.every(fits) ? found : null;
  };

  /* Enter in the field takes what is typed; it does not send the form around it. */
  const typed = (root, take) => {
    root.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("[data-typed]")) { event.preventDefault(); take(event.target); }
    });
    root.addEventListener("change", (event) => { if (event.target.matches("[data-typed]")) { take(event.target); } });
  };

  return { aim, pairs, typed };
})();
