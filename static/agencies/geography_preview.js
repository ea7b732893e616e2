/* The map of step 2 of an upload: the file's areas over what the agency has now. */
(function () {
  "use strict";
  function load(url) {
    return fetch(url, {headers: {Accept: "application/json"}}).then(function (response) {
      return response.ok ? response.json() : {type: "FeatureCollection", features: []};
    });
  }
  window.addEventListener("map:init", function (event) {
    var map = event.detail.map, holder = map.getContainer().closest("[data-areas-url]");
    if (!holder) return;
    map.setMaxBounds(null);
    Promise.all([load(holder.dataset.contextUrl), load(holder.dataset.areasUrl)]).then(function (loaded) {
      L.geoJSON(loaded[0], {interactive: false, style: {color: "#5b6770", weight: 1, dashArray: "4 4", fill: false}}).addTo(map);
      var areas = L.geoJSON(loaded[1], {
        style: function (feature) {
          return {color: feature.properties.state === "new" ? "#0b5cad" : "#74818b", weight: 1.5, fillOpacity: 0.12};
        },
        onEachFeature: function (feature, layer) {
          // As text: a string would be taken for HTML, and codes come from files.
          layer.bindTooltip(document.createTextNode(feature.properties.code), {sticky: true});
        }
      }).addTo(map);
      if (loaded[1].features.length) map.fitBounds(areas.getBounds(), {padding: [12, 12]});
      holder.dataset.drawn = loaded[1].features.length;
    });
  });
})();
