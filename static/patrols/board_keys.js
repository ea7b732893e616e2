/* The board by keyboard: arrows go through the missions, a assigns, ? lists the keys, Escape closes. */
"use strict";
(() => {
  const board = window.MissionsBoard;
  const keys = document.getElementById("keys-dialog");
  const dialog = document.getElementById("assign-dialog");
  const select = document.getElementById("assign-unit");

  const rows = () => [...document.querySelectorAll("[data-mission]")];
  const focused = () => document.activeElement && document.activeElement.closest("[data-mission]");

  const step = (by) => {
    const all = rows();
    if (!all.length) { return; }
    const current = focused() || all.find((row) => row.getAttribute("aria-current") === "true");
    const at = current ? all.indexOf(current) + by : by > 0 ? 0 : all.length - 1;
    const next = all[Math.max(0, Math.min(all.length - 1, at))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    board.choose(next.dataset.mission, true);
  };

  /* The units of the mission's own beat come first, as in the list. */
  const askUnit = (row) => {
    const own = [...row.closest(".beat").querySelectorAll("[data-unit]")];
    const all = [...document.querySelectorAll("#list [data-unit]")];
    select.replaceChildren();
    [...own, ...all.filter((unit) => !own.includes(unit))].forEach((unit) => {
      select.append(new Option(`${unit.textContent.trim()}${own.includes(unit) ? "" : gettext(" · other beat")}`, unit.dataset.unit));
    });
    select.append(new Option(gettext("No unit"), ""));
    select.selectedIndex = 0;
    document.getElementById("assign-title").textContent = interpolate(gettext("Mission %(n)s: which unit?"), { n: row.querySelector(".mission__number").textContent }, true);
    dialog.dataset.mission = row.dataset.mission;
    dialog.returnValue = "";
    dialog.showModal();
    select.focus();
  };

  dialog.addEventListener("close", async () => {
    const mission = dialog.dataset.mission;
    if (dialog.returnValue === "assign" && select.selectedOptions.length) {
      const option = select.selectedOptions[0];
      await board.assign(mission, option.value, option.textContent.split(" ")[0]);
    }
    const row = document.getElementById(`mission-${mission}`);
    if (row) { row.focus(); }
  });
  // Enter in a list of options does not send its form by itself.
  select.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); dialog.close("assign"); } });
  select.addEventListener("dblclick", () => dialog.close("assign"));

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, dialog[open]");
    if (event.key === "Escape" && !board.drawer.hidden && !document.querySelector("dialog[open]")) {
      board.closeDrawer();
      return;
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) { return; }
    // On the map the arrows move the map.
    const onMap = event.target.closest("#map, .timeline__scroll");
    if (event.key === "ArrowDown" && !onMap) { event.preventDefault(); step(1); }
    if (event.key === "ArrowUp" && !onMap) { event.preventDefault(); step(-1); }
    if (event.key === "?") { event.preventDefault(); keys.showModal(); }
    if (event.key === "a" && board.holder.dataset.assign) {
      const row = focused() || document.querySelector("[data-mission][aria-current='true']");
      if (row) { event.preventDefault(); askUnit(row); } else { board.say(gettext("Choose a mission first: arrow keys, then a.")); }
    }
  });
  document.body.addEventListener("click", (event) => { if (event.target.closest("[data-keys]")) { keys.showModal(); } });
})();
