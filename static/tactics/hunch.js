/* Where somebody expects something: a tap on the map, or "Here" on a press. The form goes by itself; off line it waits. */
"use strict";
(() => {
  const form = document.querySelector("[data-hunch]");
  if (!form) { return; }
  const told = document.getElementById("officer").dataset;
  const draftKey = `missions-draft:${told.agency}:${told.person}:hunch`;
  const reason = form.elements.reason;
  let mark = null;
  let map = null;

  const choose = (latlng) => {
    form.elements.lat.value = latlng.lat.toFixed(5);
    form.elements.lon.value = latlng.lng.toFixed(5);
    form.querySelector("[data-screen-says]").hidden = true;
    if (!map) { return; }
    mark = mark || L.circleMarker(latlng, { radius: 12, weight: 3, className: "hunch-mark" }).addTo(map);
    mark.setLatLng(latlng);
  };

  window.addEventListener("map:init", (event) => {
    map = event.detail.map;
    map.scrollWheelZoom.disable();
    MissionsKeys.aim(map, gettext("Map. Arrows move it, plus and minus zoom, Enter chooses the place under the cross."));
    // Their colour stands in officer.css: one read here would stay when the page turns at dusk.
    const line = { className: "place-line", fill: false };
    const styles = { beat: { ...line, weight: 1.5, dashArray: "6 4", opacity: 0.5 }, own: { ...line, weight: 3, opacity: 0.8 }, street: { ...line, weight: 1.5, opacity: 0.45 } };
    fetch(document.querySelector("[data-area]").dataset.area, { headers: { Accept: "application/geo+json" } })
      .then((response) => (response.ok ? response.json() : Promise.reject(new Error(String(response.status)))))
      .then((data) => {
        const areas = L.geoJSON(data, { interactive: false, style: (feature) => styles[feature.properties.kind] }).addTo(map);
        let own = null;
        areas.eachLayer((layer) => {
          const { kind, label } = layer.feature.properties;
          if (kind === "own") { own = layer; }
          if (kind !== "street") { layer.bindTooltip(label, { permanent: true, direction: "center", className: "place-label" }); }
        });
        if (!mark && areas.getLayers().length) { map.fitBounds((own || areas).getBounds(), { animate: false }); }
      })
      .catch(() => {});
    map.on("click", (tap) => choose(tap.latlng));
    if (form.elements.lat.value) {
      const typed = L.latLng(Number(form.elements.lat.value), Number(form.elements.lon.value));
      choose(typed);
      map.setView(typed, 15);
    }
  });

  const here = document.querySelector("[data-here]");
  if (here) {
    const line = document.querySelector("[data-here-says]");
    here.addEventListener("click", () => {
      line.textContent = gettext("Asking the phone…");
      navigator.geolocation.getCurrentPosition((position) => {
        const latlng = L.latLng(position.coords.latitude, position.coords.longitude);
        choose(latlng);
        map.setView(latlng, 16);
        line.textContent = gettext("Chosen. Only the box around this place is stored.");
      }, () => { line.textContent = gettext("The phone did not say where it is. Tap the map instead."); }, { enableHighAccuracy: true, timeout: 15000 });
    });
  }

  MissionsKeys.typed(form, (field) => {
    const found = MissionsKeys.pairs(field.value);
    const says = form.querySelector("[data-typed-says]");
    if (!found) { says.textContent = field.value ? gettext("Two numbers are needed, as in 38.5731, -121.4800.") : ""; return; }
    choose(L.latLng(found[0]));
    if (map) { map.setView(L.latLng(found[0]), 16); }
    says.textContent = gettext("Place chosen.");
  });

  reason.value = reason.value || localStorage.getItem(draftKey) || "";
  reason.addEventListener("input", () => localStorage.setItem(draftKey, reason.value));
  form.addEventListener("submit", (event) => {
    const line = form.querySelector("[data-screen-says]");
    if (!window.MissionsScreen.passes(form)) { event.preventDefault(); return; }
    const problem = !form.elements.lat.value ? gettext("Tap the map first: where?") : !navigator.onLine ? gettext("No connection. Your words stay here; press again when the phone is back.") : "";
    if (problem) {
      event.preventDefault();
      line.hidden = false;
      line.textContent = problem;
    } else {
      localStorage.removeItem(draftKey);
    }
  });
})();
