// The columns page of the mapping wizard: the first rows as points against the agency's boundary.
"use strict";

window.addEventListener("map:init", (event) => {
  const holder = document.querySelector("[data-places-url]");
  if (!holder) return;
  const map = event.detail.map;
  const message = document.querySelector("[data-places-message]");
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  fetch(holder.dataset.placesUrl)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
    .then((data) => {
      const shown = L.featureGroup().addTo(map);
      if (data.boundary) {
        L.geoJSON(data.boundary, { style: { color: token("--m-accent"), weight: 2, fill: false }, interactive: false }).addTo(shown);
      }
      const bad = data.features.filter((feature) => !feature.properties.ok);
      data.features.forEach((feature) => {
        const [lon, lat] = feature.geometry.coordinates;
        const place = feature.properties.ok
          ? L.circleMarker([lat, lon], { radius: 4, color: token("--m-good"), weight: 2, fillOpacity: 0.5 })
          : L.marker([lat, lon], { icon: L.divIcon({ className: "wizard-place-bad", iconSize: [10, 10] }) }).bindTooltip(feature.properties.why);
        place.addTo(shown);
      });
      document.querySelector("[data-places-rows]").replaceChildren(...data.features.map((feature) => {
        const [lon, lat] = feature.geometry.coordinates;
        const row = document.createElement("tr");
        row.append(...[lat.toFixed(5), lon.toFixed(5), feature.properties.ok ? gettext("inside the boundary") : feature.properties.why].map((text) => {
          const cell = document.createElement("td");
          cell.textContent = text;
          return cell;
        }));
        return row;
      }));
      if (shown.getLayers().length) map.fitBounds(shown.getBounds(), { padding: [16, 16], maxZoom: 15 });
      if (data.message) message.textContent = data.message;
      else if (!data.features.length) message.textContent = gettext("No place can be drawn yet: map longitude and latitude, or X and Y with their EPSG code, and press Check.");
      else if (bad.length) message.textContent = interpolate(gettext("%(bad)s of the first %(all)s places would be kept aside: %(why)s."), { bad: bad.length, all: data.features.length, why: bad[0].properties.why }, true);
      else message.textContent = interpolate(gettext("All of the first %(all)s places lie inside the agency's boundary."), { all: data.features.length }, true);
      holder.dataset.placesReady = "yes";
    })
    .catch((error) => { message.textContent = interpolate(gettext("The places could not be loaded (%(why)s). Reload the page."), { why: error.message }, true); });
});
