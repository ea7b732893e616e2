/* Suggests name, weight, letter and colour of the offence class that is chosen, where the person has typed nothing yet. */
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-colour-palette]").forEach(function (palette) {
      palette.hidden = false;
      palette.addEventListener("click", function (event) {
        var swatch = event.target.closest("[data-colour]");
        if (swatch) document.getElementById(palette.dataset.colourPalette).value = swatch.dataset.colour.toLowerCase();
      });
    });
    var select = document.getElementById("id_nibrs_code");
    if (!select || select.tagName !== "SELECT" || !/\/add\/$/.test(location.pathname)) return;
    var touched = {};
    ["name", "slug", "weight", "letter", "colour"].forEach(function (name) {
      var input = document.getElementById("id_" + name);
      if (input) input.addEventListener("input", function () { touched[name] = true; });
    });
    select.addEventListener("change", function () {
      var data = select.selectedOptions[0].dataset;
      if (!data.letter) return;
      var values = {
        name: data.name, weight: data.weight, letter: data.letter, colour: data.colour.toLowerCase(),
        slug: data.name.toLowerCase().replace(/[^a-z0-9]+/g, "-")
      };
      Object.keys(values).forEach(function (name) {
        var input = document.getElementById("id_" + name);
        if (input && !touched[name]) input.value = values[name];
      });
    });
  });
})();
