/* Drawing areas in the admin: django-leaflet's field, with three repairs and the neighbours as a guide. */
(function () {
  "use strict";

  // Leaflet.draw gives handles to the outer ring only. Every ring gets its own, so that holes can be edited.
  L.Edit.Poly.include({
    _initHandlers: function () {
      // Read afresh: after "Cancel" the polygon holds new rings, and handles on the old ones would move nothing.
      var rings = this._poly._latlngs;
      this.latlngs = L.LineUtil.isFlat(rings) ? [rings] : rings;
      this._verticesHandlers = this.latlngs.map(function (ring) {
        return new L.Edit.PolyVerticesEdit(this._poly, ring, this._poly.options.poly);
      }, this);
    }
  });

  // django-leaflet keeps only the first ring of each part when it writes a MultiPolygon: dragging one corner
  // deleted every hole. Here each part is written with all its rings.
  L.AreaFieldStore = L.FieldStore.extend({
    PRECISION: 7,
    _serialize: function (layer) {
      var parts = [], precision = this.PRECISION;
      layer.eachLayer(function (item) {
        var geometry = item.toGeoJSON(precision).geometry;
        parts = parts.concat(geometry.type === "MultiPolygon" ? geometry.coordinates : [geometry.coordinates]);
      });
      return parts.length ? JSON.stringify({type: "MultiPolygon", coordinates: parts}) : "";
    }
  });

  // What is on the map when the form is saved is what is meant, also without the toolbar's own "Save".
  function saveWithForm(field) {
    var form = field.store.formfield.form;
    if (!form) return;
    form.addEventListener("submit", function () {
      if (field._unsavedChanges && field.drawnItems.getLayers().length) field.store.save(field.drawnItems);
      field._unsavedChanges = false;
    });
  }

  var STYLES = {
    boundary: {color: "#5b6770", weight: 2, dashArray: "6 4", fill: false},
    district: {color: "#5b6770", weight: 2, fill: false},
    beat: {color: "#8a97a1", weight: 1, fill: true, fillOpacity: 0.04}
  };

  function showContext(map, url, fit, layers) {
    // Lines of nobody: an empty map says whose it waits for.
    var wait = map.getContainer().closest("[data-area-field]").querySelector("[data-area-wait]");
    if (wait) wait.hidden = !(fit && /\/0\/context/.test(url || ""));
    if (layers.context) { map.removeLayer(layers.context); layers.context = null; }
    if (!url || /\/0\/context/.test(url)) return;
    fetch(url, {headers: {Accept: "application/json"}}).then(function (response) {
      return response.ok ? response.json() : null;
    }).then(function (collection) {
      if (!collection || !collection.features.length) return;
      layers.context = L.geoJSON(collection, {
        interactive: false,
        style: function (feature) { return STYLES[feature.properties.kind]; },
        onEachFeature: function (feature, layer) {
          if (feature.properties.kind === "beat" && collection.features.length < 400) {
            // As text: a string would be taken for HTML, and codes come from files.
            layer.bindTooltip(document.createTextNode(feature.properties.code), {permanent: true, direction: "center", className: "area-label"});
          }
        }
      }).addTo(map);
      layers.context.bringToBack();
      // A blank background without lines tells nobody where they are.
      if (fit) map.fitBounds(layers.context.getBounds(), {padding: [12, 12]});
    });
  }

  window.addEventListener("map:init", function (event) {
    var map = event.detail.map;
    var holder = map.getContainer().closest("[data-area-field]");
    if (!holder) return;
    map.setMaxBounds(null);
    // From afar 275 codes on top of each other are a smear.
    var labels = function () { map.getContainer().classList.toggle("area-labels-off", map.getZoom() < 13); };
    map.on("zoomend", labels);
    labels();
    map.on("map:loadfield", function (loaded) {
      var field = loaded.field, layers = {}, empty = field.drawnItems.getLayers().length === 0;
      saveWithForm(field);
      showContext(map, holder.dataset.contextUrl, empty, layers);
      var chooser = document.getElementById("id_agency");
      if (chooser && chooser.tagName === "SELECT") {
        chooser.addEventListener("change", function () {
          showContext(map, holder.dataset.contextUrl.replace(/\/\d+\/context/, "/" + (chooser.value || 0) + "/context"), true, layers);
        });
      }
    });
  });
})();
