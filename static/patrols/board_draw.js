/* Pointing at the map for a form: a cell by a click, a box by a drag or two clicks, an area by its corners.
   The form with data-draw that is open gets the place as GeoJSON in its [data-area]; the cells that the server says it
   means are drawn from the preview's data-rings. */
"use strict";
(() => {
  const board = window.MissionsBoard;
  const HINTS = {
    cell: gettext("Click the place on the map."),
    box: gettext("Drag a box on the map, or click two corners of it."),
    polygon: gettext("Click the corners of the area, then “Finish the area” or its first corner."),
  };
  let sketch = null;
  let cells = null;
  let corners = [];
  let corner = null;

  const form = () => {
    const open = [...board.drawer.querySelectorAll("form[data-draw]")].filter((one) => one.offsetParent !== null && !one.closest("details:not([open])"));
    return open.length ? open[open.length - 1] : null;
  };
  const mode = () => {
    const chosen = form() && form().querySelector("input[name=mode]:checked");
    return chosen ? chosen.value : "cell";
  };
  const style = () => ({ color: MissionsMap.token("--accent"), weight: 3, dashArray: "6 4", fillOpacity: 0.15, interactive: false, pane: "sketch" });

  const clear = () => {
    [sketch, cells].forEach((layer) => { if (layer) { layer.remove(); } });
    sketch = null;
    cells = null;
    corners = [];
    corner = null;
  };

  const hint = (text) => {
    const place = form() && form().querySelector("[data-hint]");
    if (place) { place.textContent = text; }
  };

  const tell = (area) => {
    const open = form();
    open.querySelector("[data-area]").value = JSON.stringify(area);
    hint(mode() === "cell" ? gettext("Place chosen. Click again to move it.") : gettext("Area chosen. Draw again to change it."));
    open.dispatchEvent(new CustomEvent("area-changed"));
  };

  const point = (latlng) => [Number(latlng.lng.toFixed(6)), Number(latlng.lat.toFixed(6))];

  const finishBox = (one, other) => {
    const bounds = L.latLngBounds(one, other);
    clear();
    sketch = L.rectangle(bounds, style()).addTo(board.map);
    const ring = [bounds.getSouthWest(), bounds.getSouthEast(), bounds.getNorthEast(), bounds.getNorthWest(), bounds.getSouthWest()].map(point);
    tell({ type: "Polygon", coordinates: [ring] });
  };

  const finishPolygon = () => {
    if (corners.length < 3) { hint(gettext("An area needs three corners.")); return; }
    const ring = corners.map(point);
    const drawn = [...corners];
    clear();
    sketch = L.polygon(drawn, style()).addTo(board.map);
    tell({ type: "Polygon", coordinates: [[...ring, ring[0]]] });
    showFinish(false);
  };

  const showFinish = (shown) => {
    const button = form() && form().querySelector("[data-finish]");
    if (button) { button.hidden = !shown; }
  };

  const addCorner = (latlng) => {
    const near = corners.length > 2 && board.map.latLngToContainerPoint(corners[0]).distanceTo(board.map.latLngToContainerPoint(latlng)) < 14;
    if (near) { finishPolygon(); return; }
    if (!corners.length) { clear(); }
    corners.push(latlng);
    if (sketch) { sketch.remove(); }
    sketch = L.layerGroup([L.polyline(corners, style()), ...corners.map((at) => L.circleMarker(at, { ...style(), radius: 5, dashArray: null }))]).addTo(board.map);
    showFinish(corners.length > 2);
  };

  const clicked = (event) => {
    if (!form()) { return; }
    if (mode() === "cell") {
      choosePlace(event.latlng);
    } else if (mode() === "polygon") {
      addCorner(event.latlng);
    } else if (corner) {
      finishBox(corner, event.latlng);
    } else {
      clear();
      corner = event.latlng;
      sketch = L.circleMarker(corner, { ...style(), radius: 5, dashArray: null }).addTo(board.map);
      hint(gettext("Now the opposite corner."));
    }
  };

  /* One pair is a place, two are corners of a box, more go round an area: the modes follow what is typed. */
  const typed = (field) => {
    const found = MissionsKeys.pairs(field.value);
    const alone = !form().querySelector("[data-modes]");
    if (!found || (alone && found.length > 1)) {
      if (field.value) { hint(gettext("Pairs of two numbers are needed, as in 38.5731, -121.4800.")); }
      return;
    }
    const wanted = found.length === 1 ? ["cell"] : found.length === 2 ? ["box", "polygon"] : ["polygon", "box"];
    const radio = wanted.map((name) => form().querySelector(`input[name=mode][value=${name}]`)).find(Boolean);
    if (radio) { radio.checked = true; }
    clear();
    const places = found.map((pair) => L.latLng(pair));
    if (found.length === 1) { choosePlace(places[0]); } else if (found.length === 2) { finishBox(...places); } else { corners = places; finishPolygon(); }
    follow();
    board.map.panInside(places[0]);
  };

  const choosePlace = (latlng) => {
    clear();
    sketch = L.circleMarker(latlng, { ...style(), radius: 7, dashArray: null, color: "#000", fillColor: "#fff", fillOpacity: 1 }).addTo(board.map);
    tell({ type: "Point", coordinates: point(latlng) });
  };

  /* A box by one stroke: the map stays where it is as long as boxes are drawn. */
  const prepareStroke = () => {
    const surface = board.map.getContainer();
    let from = null;
    surface.addEventListener("pointerdown", (event) => {
      if (!form() || mode() !== "box" || event.button !== 0 || event.target.closest(".leaflet-control")) { return; }
      from = { latlng: board.map.mouseEventToLatLng(event), x: event.clientX, y: event.clientY };
    });
    surface.addEventListener("pointermove", (event) => {
      if (!from || Math.hypot(event.clientX - from.x, event.clientY - from.y) < 6) { return; }
      if (sketch) { sketch.remove(); }
      sketch = L.rectangle(L.latLngBounds(from.latlng, board.map.mouseEventToLatLng(event)), style()).addTo(board.map);
    });
    surface.addEventListener("pointerup", (event) => {
      if (from && Math.hypot(event.clientX - from.x, event.clientY - from.y) >= 6) {
        finishBox(from.latlng, board.map.mouseEventToLatLng(event));
        ignoreClick = true;
        setTimeout(() => { ignoreClick = false; }, 50);
      }
      from = null;
    });
  };
  let ignoreClick = false;

  /* Whether somebody is pointing: then boxes let clicks through, and the map is not dragged from under a box. */
  const follow = () => {
    const open = form();
    const begins = Boolean(open) && !board.drawing;
    board.drawing = Boolean(open);
    board.drawer.classList.toggle("drawer--drawing", board.drawing);
    document.body.classList.toggle("is-pointing", board.drawing);
    // On a phone the map is under the list: who is asked to point at it must see it.
    if (begins && matchMedia("(max-width: 900px)").matches) {
      const fold = open.closest("details");
      if (fold) { fold.scrollIntoView({ block: "start" }); }
      board.holder.scrollIntoView({ block: "start" });
    }
    if (!board.map) { return; }
    board.map.getContainer().classList.toggle("is-drawing", board.drawing);
    board.map.getContainer().classList.toggle("is-boxing", board.drawing && mode() === "box");
    board.map.dragging[board.drawing && mode() === "box" ? "disable" : "enable"]();
    board.map.doubleClickZoom[board.drawing ? "disable" : "enable"]();
    if (!open) { clear(); }
  };

  const prepare = () => {
    board.map.createPane("sketch").style.zIndex = 460;
    board.map.getPane("sketch").style.pointerEvents = "none";
    MissionsKeys.aim(board.map, gettext("Map of the missions, which are listed beside it. Arrows move it, plus and minus zoom; while a place is asked for, Enter chooses the one under the cross."));
    board.map.on("click", (event) => { if (!ignoreClick) { clicked(event); } });
    prepareStroke();
    follow();
  };
  if (board.map) { prepare(); } else { document.addEventListener("board:map", prepare); }

  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id === "drawer") {
      clear();
      follow();
    }
    if (event.detail.target.classList.contains("change-form__preview")) {
      const told = event.detail.target.querySelector("[data-rings]");
      if (cells) { cells.remove(); }
      cells = null;
      if (told && board.map) {
        const rings = JSON.parse(told.dataset.rings);
        cells = L.layerGroup(rings.map((ring) => L.polygon(ring.map(([x, y]) => [y, x]), { ...style(), dashArray: null, fillOpacity: 0.35 }))).addTo(board.map);
      }
    }
  });
  document.addEventListener("drawer-closed", follow);
  board.drawer.addEventListener("toggle", follow, true);
  MissionsKeys.typed(board.drawer, typed);
  board.drawer.addEventListener("click", (event) => { if (event.target.closest("[data-finish]")) { finishPolygon(); } });
  board.drawer.addEventListener("change", (event) => {
    if (event.target.name === "mode") {
      clear();
      form().querySelector("[data-area]").value = "";
      hint(HINTS[mode()]);
      showFinish(false);
      follow();
    }
    if (event.target.name === "kind") {
      board.drawer.querySelectorAll("[data-kind]").forEach((part) => { part.hidden = part.dataset.kind !== event.target.value; });
      clear();
      follow();
    }
  });
})();
