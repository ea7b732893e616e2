/* "Near me now": on a press the phone says where it is, and the distances are worked out here. Nothing of it leaves the phone. */
"use strict";
(() => {
  const button = document.querySelector("[data-near]");
  if (!button || !navigator.geolocation) { return; }
  document.querySelector("[data-near-part]").hidden = false;
  const line = document.querySelector("[data-near-says]");
  const SIDES = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
  const radians = (degrees) => (degrees * Math.PI) / 180;

  const between = (from, to) => {
    const [lat1, lat2] = [radians(from.lat), radians(to.lat)];
    const east = radians(to.lon - from.lon);
    const half = Math.sin((lat2 - lat1) / 2) ** 2 + Math.cos(lat1) * Math.cos(lat2) * Math.sin(east / 2) ** 2;
    const bearing = Math.atan2(Math.sin(east) * Math.cos(lat2), Math.cos(lat1) * Math.sin(lat2) - Math.sin(lat1) * Math.cos(lat2) * Math.cos(east));
    return { metres: 2 * 6371000 * Math.asin(Math.sqrt(half)), side: SIDES[Math.round((bearing / Math.PI) * 4 + 8) % 8] };
  };
  /* As agencies/clocks.py writes them. */
  const imperial = document.documentElement.dataset.units === "imperial";
  const far = (metres) => {
    if (imperial) { return metres < 610 ? `${Math.round(metres / 0.3048 / 100) * 100} ft` : `${(metres / 1609.344).toFixed(1)} mi`; }
    return metres < 1000 ? `${Math.round(metres / 50) * 50} m` : `${(metres / 1000).toFixed(1)} km`;
  };
  const words = ({ metres, side }) => (metres < 150 ? gettext("here") : `${far(metres)} ${side}`);

  const show = (position) => {
    const me = { lon: position.coords.longitude, lat: position.coords.latitude };
    const rows = [...document.querySelectorAll("[data-row][data-lon]")].map((row) => ({ row, way: between(me, { lon: Number(row.dataset.lon), lat: Number(row.dataset.lat) }) }));
    rows.sort((one, other) => one.way.metres - other.way.metres);
    rows.forEach(({ row, way }) => {
      row.parentElement.append(row);
      document.querySelectorAll(`[data-distance-of="${row.dataset.row}"]`).forEach((part) => { part.textContent = ` · ${words(way)}`; });
    });
    line.textContent = gettext("Nearest first. Where you are was not sent.");
  };
  const fail = (error) => {
    line.textContent = error.code === 1 ? gettext("The phone did not allow it. Allow the position for this page in the browser's settings.") : gettext("The phone does not know where it is. Try again outside.");
  };

  button.addEventListener("click", () => {
    line.textContent = gettext("Asking the phone…");
    navigator.geolocation.getCurrentPosition(show, fail, { enableHighAccuracy: true, timeout: 15000, maximumAge: 15000 });
  });
})();
