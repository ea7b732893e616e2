/* Django leaves cells of tables and the halves of a date and time without a name of their own: a screen reader would say
   "edit text" 44 times. They are called what their column or field is called, and which row they stand in. */
"use strict";
(() => {
  const words = (node) => (node ? node.textContent.replace(/\s+/g, " ").replace(/[:*]\s*$/, "").trim() : "");
  const nameOf = (field) => {
    const cell = field.closest("td");
    const half = field.classList.contains("vDateField") ? ", date" : field.classList.contains("vTimeField") ? ", time" : "";
    if (cell && cell.closest("table")) {
      const table = cell.closest("table"), at = [...cell.parentElement.children].indexOf(cell);
      const column = words(table.querySelectorAll("thead th")[at] || null) || words(cell.parentElement.querySelector("th"));
      const row = words(cell.parentElement.querySelector("th, td.original p")) || String([...table.tBodies].flatMap((body) => [...body.rows]).indexOf(cell.parentElement) + 1);
      return [column || field.name, row].filter(Boolean).join(", ") + half;
    }
    const around = field.closest(".form-row, .fieldBox, fieldset");
    return (words(around && around.querySelector("label, legend, .legend")) || field.name) + half;
  };
  const call = () => document.querySelectorAll("#content input, #content select, #content textarea").forEach((field) => {
    if (["hidden", "submit", "button"].includes(field.type) || field.labels?.length || field.hasAttribute("aria-label") || field.hasAttribute("aria-labelledby") || field.title) { return; }
    field.setAttribute("aria-label", nameOf(field));
  });
  document.addEventListener("DOMContentLoaded", call);
  document.addEventListener("formset:added", call);
})();
