/* Units are pressed first and missions after: the way for fingers and keys. A pressed unit gets every mission that is then
   pressed in the list, on the timeline or on the map, until “Done”, Escape, or the unit is pressed again. */
"use strict";
(() => {
  const board = window.MissionsBoard;
  const bar = document.getElementById("armed");
  if (!board.holder.dataset.assign) { return; }

  const mark = () => {
    document.querySelectorAll("[data-unit]").forEach((unit) => {
      const on = Boolean(board.armed) && unit.dataset.unit === board.armed.unit;
      unit.classList.toggle("unit--armed", on);
      if (unit.hasAttribute("aria-pressed")) { unit.setAttribute("aria-pressed", String(on)); }
    });
    document.body.classList.toggle("is-armed", Boolean(board.armed));
    bar.hidden = !board.armed;
    bar.querySelector("[data-armed-name]").textContent = board.armed ? board.armed.name : "";
  };

  const arm = (unit) => {
    const again = board.armed && board.armed.unit === unit.dataset.unit;
    board.armed = again ? null : { unit: unit.dataset.unit, name: unit.dataset.name };
    if (board.armed && !board.drawer.hidden) { board.closeDrawer(); }
    mark();
  };

  board.give = (mission) => {
    const row = document.getElementById(`mission-${mission}`);
    if (row && row.classList.contains("mission--withdrawn")) { board.say(gettext("This mission is withdrawn."), true); return; }
    board.assign(mission, board.armed.unit, board.armed.name);
  };

  // Before htmx hears of the click: it would open the drawer.
  document.addEventListener("click", (event) => {
    const unit = event.target.closest("[data-unit]");
    const mission = board.armed && event.target.closest("[data-mission], [data-choose]");
    if (!unit && !mission) { return; }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (unit) { arm(unit); } else { board.give(mission.dataset.mission || mission.dataset.choose); }
  }, true);
  bar.addEventListener("click", (event) => {
    if (event.target.closest("[data-disarm]")) { board.armed = null; mark(); }
    if (event.target.closest("[data-to-map]")) { board.holder.scrollIntoView({ block: "start" }); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !board.armed || document.querySelector("dialog[open]")) { return; }
    board.armed = null;
    mark();
  });
  document.body.addEventListener("htmx:afterSettle", (event) => { if (event.detail.target.id === "list") { mark(); } });
})();
