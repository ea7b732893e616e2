/* The area of a map field as lines of text: what is drawn can be read, and typed, without a mouse. */
(function () {
  "use strict";

  function within(point, ring) {
    var inside = false;
    for (var i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
      var a = ring[i], b = ring[j];
      if ((a[1] > point[1]) !== (b[1] > point[1]) && point[0] < (b[0] - a[0]) * (point[1] - a[1]) / (b[1] - a[1]) + a[0]) inside = !inside;
    }
    return inside;
  }

  /* One corner a line, as longitude, latitude; an empty line between rings. */
  function write(parts) {
    return parts.map(function (rings) {
      return rings.map(function (ring) {
        return ring.slice(0, -1).map(function (corner) { return corner[0] + ", " + corner[1]; }).join("\n");
      }).join("\n\n");
    }).join("\n\n");
  }

  /* The parts of a MultiPolygon. A ring that begins inside a part is a hole of it. Throws the number of the line that is wrong. */
  function read(text) {
    var rings = [[]], parts = [];
    text.split("\n").forEach(function (line, at) {
      if (!line.trim()) { rings.push([]); return; }
      var numbers = (line.match(/-?\d+(\.\d+)?/g) || []).map(Number);
      if (numbers.length !== 2 || Math.abs(numbers[0]) > 180 || Math.abs(numbers[1]) > 90) throw at + 1;
      rings[rings.length - 1].push(numbers);
    });
    rings.filter(function (ring) { return ring.length; }).forEach(function (ring) {
      var first = ring[0], last = ring[ring.length - 1];
      if (first[0] !== last[0] || first[1] !== last[1]) ring.push(first);
      if (ring.length < 4) throw 0;
      var around = parts.filter(function (part) { return within(first, part[0]); })[0];
      if (around) around.push(ring); else parts.push([ring]);
    });
    return parts;
  }

  function partsOf(field) {
    var parts = [];
    field.drawnItems.eachLayer(function (layer) {
      var shape = layer.toGeoJSON(7).geometry;
      parts = parts.concat(shape.type === "MultiPolygon" ? shape.coordinates : [shape.coordinates]);
    });
    return parts;
  }

  function show(field, parts) {
    field.drawnItems.clearLayers();
    parts.forEach(function (rings) { field.drawnItems.addLayer(L.polygon(L.GeoJSON.coordsToLatLngs(rings, 1))); });
    field.store.save(field.drawnItems);
    field._setView();
  }

  window.addEventListener("map:init", function (event) {
    var holder = event.detail.map.getContainer().closest("[data-area-field]");
    var text = holder && holder.querySelector("[data-area-text]");
    if (!text) return;
    var says = holder.querySelector("[data-area-text-says]");
    event.detail.map.on("map:loadfield", function (loaded) {
      var field = loaded.field;
      text.closest("details").addEventListener("toggle", function () { text.value = write(partsOf(field)); says.textContent = ""; });
      text.addEventListener("change", function () {
        try {
          show(field, read(text.value));
          says.textContent = gettext("Taken over. It is kept when you save the form.");
        } catch (line) {
          if (typeof line !== "number") throw line;
          says.textContent = line ? interpolate(gettext("Line %(line)s is not a longitude and a latitude. Nothing was taken over."), { line: line }, true)
            : gettext("A ring needs three corners at least. Nothing was taken over.");
        }
      });
    });
  });
})();
