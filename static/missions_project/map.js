/* What every map of ours shares: the agency's own layers, a legend, beat labels, colours of crime types.
   MissionsMap.base(map, {layers: "/riverton/layers/"}) adds boundary, districts, beats and context layers,
   with a layer switch. All of them are drawn under what a page adds, and let clicks through to the map. */
"use strict";
window.MissionsMap = (() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  // Who asked the system for less movement gets maps that jump: the style sheets' own rule does not reach Leaflet's flights.
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (still && window.L) { L.Map.mergeOptions({ zoomAnimation: false, fadeAnimation: false, markerZoomAnimation: false, inertia: false }); }
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const CONTEXT_COLOURS = ["#CC79A7", "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#0072B2", "#999933"];
  const WATER = /water|river|lake/i;
  const STREETS = /street|road/i;
  const PARKS = /park|green/i;

  const styles = {
    boundary: () => ({ color: token("--ink-2"), weight: 2, fill: true, fillColor: token("--paper"), fillOpacity: 0.75 }),
    districts: () => ({ color: token("--ink-2"), weight: 2, opacity: 0.8, fill: false }),
    coverage: () => ({ color: token("--accent"), weight: 1.5, dashArray: "6 4", fill: false }),
    beats: () => ({ color: token("--ink-3"), weight: 1, opacity: 0.75, fill: false }),
    water: () => ({ color: dark.matches ? "#24465c" : "#a9c8dc", weight: 1, fillColor: dark.matches ? "#1b3546" : "#c5dcea", fillOpacity: 1 }),
    streets: () => ({ color: dark.matches ? "#3a454d" : "#d2d8dc", weight: 1, opacity: 1 }),
    parks: () => ({ color: dark.matches ? "#24402c" : "#bcd9bf", weight: 1, fillColor: dark.matches ? "#1b3122" : "#d6e9d7", fillOpacity: 0.9 }),
  };
  const PANES = { ground: 350, lines: 360, outlines: 370, labels: 640, places: 420 };

  /* A city fills its map: whole steps of zoom leave up to half of it empty. Tiles are drawn for whole steps: with them those count. */
  const steps = (map) => {
    map.options.zoomSnap = 0.25;
    map.on("layeradd", ({ layer }) => {
      if (!(layer instanceof L.TileLayer) || map.options.zoomSnap === 1) { return; }
      map.options.zoomSnap = 1;
      map.whenReady(() => map.setZoom(Math.floor(map.getZoom()), { animate: false }));
    });
  };

  const panesOf = (map) => {
    Object.entries(PANES).forEach(([name, z]) => {
      if (map.getPane(`base-${name}`)) { return; }
      const pane = map.createPane(`base-${name}`);
      pane.style.zIndex = z;
      pane.style.pointerEvents = name === "places" ? "" : "none";
    });
  };

  const getJson = async (url) => {
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) { throw new Error(`${url}: ${response.status}`); }
    return response.json();
  };

  /* A layer that asks for its data when it is first shown, and restyles itself when day turns to night. */
  const lazy = (url, options) => {
    const layer = L.geoJSON(null, options);
    let asked = false;
    layer.on("add", async () => {
      if (asked) { return; }
      asked = true;
      try {
        layer.addData(await getJson(url));
        layer.fire("loaded");
      } catch (error) {
        asked = false;
        layer.fire("failed", { error });
      }
    });
    dark.addEventListener("change", () => { if (typeof options.style === "function") { layer.setStyle(options.style); } });
    return layer;
  };

  const kindOf = (row) => {
    if (row.kind in styles) { return row.kind; }
    if (row.kind === "reference" && WATER.test(row.slug)) { return "water"; }
    if (row.kind === "reference" && STREETS.test(row.slug)) { return "streets"; }
    if (row.kind === "reference" && PARKS.test(row.slug)) { return "parks"; }
    return "context";
  };

  const vector = (map, row, number) => {
    const kind = kindOf(row);
    const colour = CONTEXT_COLOURS[number % CONTEXT_COLOURS.length];
    if (kind === "context") {
      const renderer = L.canvas({ pane: "base-places" });
      const style = () => ({ color: colour, weight: 1.5, fillColor: colour, fillOpacity: 0.25, renderer });
      return lazy(row.url, {
        pane: "base-places",
        style,
        pointToLayer: (feature, at) => L.circleMarker(at, { renderer, radius: 4, color: colour, weight: 1, fillOpacity: 0.7 }),
        onEachFeature: (feature, one) => {
          const name = feature.properties && feature.properties.name;
          // As text: a string would be taken for HTML, and names come from files.
          one.bindTooltip(document.createTextNode(name ? `${row.name}: ${name}` : row.name), { sticky: true });
        },
      });
    }
    const ground = kind === "boundary" || kind === "water" || kind === "parks";
    const pane = ground ? "base-ground" : kind === "streets" ? "base-lines" : "base-outlines";
    const options = { pane, style: styles[kind], interactive: false };
    if (kind === "streets") { options.renderer = L.canvas({ pane }); }
    const layer = lazy(row.url, options);
    if (kind === "beats") { labels(map, layer); }
    return layer;
  };

  /* A beat's code in its middle, shown only where the beat is wide enough for it. */
  const labels = (map, layer) => {
    const marks = L.layerGroup();
    const draw = () => {
      marks.clearLayers();
      if (!map.hasLayer(layer)) { return; }
      layer.eachLayer((beat) => {
        const bounds = beat.getBounds();
        const width = map.latLngToContainerPoint(bounds.getNorthEast()).x - map.latLngToContainerPoint(bounds.getSouthWest()).x;
        const facts = beat.feature.properties;
        if (width < 44 || !facts.label_at) { return; }
        const text = document.createElement("span");
        text.textContent = facts.code;
        L.marker([facts.label_at[1], facts.label_at[0]], {
          pane: "base-labels", interactive: false, keyboard: false,
          icon: L.divIcon({ className: "beat-label", html: text, iconSize: [40, 16] }),
        }).addTo(marks);
      });
    };
    layer.on("loaded", draw);
    layer.on("add", () => { marks.addTo(map); draw(); });
    layer.on("remove", () => marks.remove());
    map.on("zoomend", draw);
  };

  /* Where a map is wide enough, what it shows is fitted beside its legend: below it nobody sees or presses anything. */
  const beside = (map, least) => {
    const legend = document.querySelector("details#legend[open]");
    const width = legend ? legend.offsetWidth : 0;
    return width && map.getSize().x > 2.5 * width ? width + 24 : least;
  };

  /* Fit the agency, and let the map be dragged a little beyond it (the tag's own limit is the very edge). */
  const fit = (map, extent) => {
    const bounds = extent ? L.latLngBounds([extent[1], extent[0]], [extent[3], extent[2]]) : null;
    const known = bounds || (map.options.djoptions && map.options.djoptions.extent && L.latLngBounds(map.options.djoptions.extent));
    if (!known) { return; }
    map.setMaxBounds(known.pad(1.2));
    map.fitBounds(known, { paddingTopLeft: [12, 12], paddingBottomRight: [beside(map, 12), 12], animate: false });
  };

  /* Add the agency's layers. `source.layers` is the address of the layer index. Resolves to the layers by slug.
     Options: control (false: no switch, the page has its own), hide (slugs or kinds that start switched off). */
  const base = async (map, source, options = {}) => {
    steps(map);
    panesOf(map);
    fit(map, null);
    if (!source.layers) { return {}; }
    const index = await getJson(source.layers);
    fit(map, index.extent);
    const found = {};
    const overlays = {};
    let number = 0;
    index.layers.forEach((row) => {
      const layer = vector(map, row, row.kind === "risk" ? number++ : 0);
      found[row.slug] = { ...row, layer };
      const text = document.createElement("span");
      text.textContent = row.name;
      overlays[text.innerHTML] = layer;
      const hidden = (options.hide || []).some((name) => name === row.slug || name === row.kind);
      if (row.on && !hidden) { layer.addTo(map); }
    });
    if (options.control !== false) {
      if (map.layerscontrol) {
        Object.entries(overlays).forEach(([name, layer]) => map.layerscontrol.addOverlay(layer, name));
      } else {
        map.layerscontrol = L.control.layers(null, overlays, { position: "topright" }).addTo(map);
      }
    }
    return found;
  };

  /* A legend in a corner. rows: [{colour, label, letter}]; returns the control, whose update(title, rows, note) redraws it. */
  const legend = (map, title, rows, note, position = "bottomright") => {
    const control = L.control({ position });
    const part = (name, className, text) => {
      const element = document.createElement(name);
      element.className = className;
      element.textContent = text || "";
      return element;
    };
    control.update = (newTitle, newRows, newNote) => {
      const box = control.getContainer();
      box.replaceChildren(part("strong", "map-legend__title", newTitle));
      const list = part("ul", "map-legend__rows");
      newRows.forEach((row) => {
        const line = part("li", "");
        const swatch = part("span", "map-legend__swatch", row.letter);
        swatch.style.backgroundColor = row.colour;
        swatch.style.color = inkOn(row.colour);
        line.append(swatch, part("span", "", row.label));
        list.append(line);
      });
      box.append(list);
      if (newNote) { box.append(part("p", "map-legend__note", newNote)); }
    };
    control.onAdd = () => {
      const box = L.DomUtil.create("div", "map-legend");
      L.DomEvent.disableClickPropagation(box);
      L.DomEvent.disableScrollPropagation(box);
      return box;
    };
    control.addTo(map);
    control.update(title, rows, note);
    return control;
  };

  /* Black or white, whichever can be read on this colour. */
  const inkOn = (colour) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#000000" : "#ffffff";
  };

  /* Colour the boxes of crime types: <span class="type-box" data-colour="#0072B2">B</span>. */
  const paint = (root) => {
    (root || document).querySelectorAll("[data-colour]").forEach((element) => {
      element.style.backgroundColor = element.dataset.colour;
      element.style.borderColor = element.dataset.colour;
      element.style.color = inkOn(element.dataset.colour);
    });
  };

  document.addEventListener("DOMContentLoaded", () => paint(document));
  document.addEventListener("htmx:afterSwap", (event) => paint(event.detail.target));

  return { base, beside, fit, legend, lazy, paint, inkOn, getJson, token, still };
})();
