/* Missions are given to units by dragging, either way round: a row (by a finger its grip) or a box's number on the map
   onto a unit of list or timeline; a unit onto a row, a bar of the timeline, or a box on the map. */
"use strict";
(() => {
  const board = window.MissionsBoard;
  const list = document.getElementById("board-list");
  if (!board.holder.dataset.assign) { return; }
  const START_PX = 6;
  let drag = null;
  let justDragged = false;

  /* Give a mission to a unit (empty: to none); the list is asked for anew. Resolves to whether it was done. */
  board.assign = async (mission, unit, name) => {
    const form = new FormData(document.getElementById("board-token"));
    form.append("unit", unit);
    form.append("quiet", "1");
    const row = document.querySelector(`[data-mission="${mission}"] .mission__number`);
    const number = row ? row.textContent : "";
    let problem = "";
    try {
      const response = await fetch(board.holder.dataset.assign.replace("/0/", `/${mission}/`), { method: "POST", body: form });
      if (response.status !== 204) {
        problem = [400, 409].includes(response.status) ? await response.text() : gettext("Your role does not include this, or you are signed out.");
      }
    } catch {
      problem = gettext("No connection: nothing was changed. Try again.");
    }
    board.say(problem || interpolate(gettext("Mission %(number)s → %(name)s"), { number, name }, true), problem);
    if (!problem) { htmx.trigger(document.body, "missions-changed"); }
    return !problem;
  };

  /* What is taken hold of: {mission} or {unit}, or null. */
  const taken = (event) => {
    const mouse = event.pointerType !== "touch";
    const grip = event.target.closest("[data-grip]");
    if (grip && !board.drawing) { return { mission: grip.dataset.grip, row: document.getElementById(`mission-${grip.dataset.grip}`) }; }
    const unit = event.target.closest("[data-unit]");
    // A finger that scrolls often starts on a unit, and would give it a mission: fingers press units instead.
    if (unit) { return mouse ? { unit: unit.dataset.unit, name: unit.dataset.name, row: unit } : null; }
    const row = event.target.closest("[data-mission]");
    if (!row) { return null; }
    // A finger on the row scrolls the list; only the grip drags.
    const edge = row.querySelector(".mission__grip").getBoundingClientRect().right;
    return mouse || event.clientX <= edge ? { mission: row.dataset.mission, row } : null;
  };

  const begin = (event) => {
    if (event.button !== 0 || !event.target.closest) { return; }
    const what = taken(event);
    if (what) { drag = { ...what, x: event.clientX, y: event.clientY, pointer: event.pointerId, ghost: null, over: null }; }
  };

  const lift = () => {
    const ghost = document.createElement("div");
    ghost.className = "drag-ghost";
    if (drag.unit) {
      const name = document.createElement("b");
      name.textContent = drag.name;
      const onto = document.createElement("span");
      onto.className = "drag-ghost__onto";
      ghost.append(name, onto);
    } else if (drag.row) {
      ghost.append(...[".mission__number", ".type-box", ".mission__times"].map((name) => drag.row.querySelector(name).cloneNode(true)));
    }
    document.body.append(ghost);
    drag.ghost = ghost;
    document.body.classList.add("is-dragging", drag.unit ? "is-dragging-unit" : "is-dragging-mission");
    if (drag.row) { drag.row.classList.add("mission--lifted"); }
  };

  /* What lies under the pointer and would take it: {mission} or {unit}, with the element to show it on. */
  const targetAt = (x, y) => {
    const element = document.elementFromPoint(x, y);
    if (!element) { return null; }
    if (drag.mission) {
      const unit = element.closest("[data-unit]");
      return unit && { key: unit.dataset.unit, name: unit.dataset.name, element: unit };
    }
    const row = element.closest("[data-mission]");
    const bar = element.closest("[data-choose]");
    const mission = row ? row.dataset.mission : bar ? bar.dataset.choose : board.boxAt(x, y);
    // Withdrawn ones stay on the map, and take nobody.
    const known = mission && document.getElementById(`mission-${mission}`);
    return known && !known.classList.contains("mission--withdrawn") ? { key: mission, element: known } : null;
  };

  const show = (over) => {
    if (drag.over) { drag.over.element.classList.remove("target--over"); }
    if (over) { over.element.classList.add("target--over"); }
    if (drag.unit) {
      board.showTarget(over ? over.key : null);
      const number = over ? over.element.querySelector(".mission__number").textContent : "";
      drag.ghost.querySelector(".drag-ghost__onto").textContent = over ? `→ mission ${number}` : "";
    }
    drag.over = over;
  };

  const moveOn = (event) => {
    if (!drag || event.pointerId !== drag.pointer) { return; }
    if (!drag.ghost) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < START_PX) { return; }
      lift();
    }
    event.preventDefault();
    // On the side of the pointer where there is room.
    const left = event.clientX + 10 + drag.ghost.offsetWidth > innerWidth ? event.clientX - 10 - drag.ghost.offsetWidth : event.clientX + 10;
    drag.ghost.style.transform = `translate(${left}px, ${event.clientY + 10}px)`;
    const over = targetAt(event.clientX, event.clientY);
    if ((over && over.key) !== (drag.over && drag.over.key)) { show(over); }
    // Near the list's edge it scrolls on: what is wanted may be out of sight.
    const edge = list.getBoundingClientRect();
    if (event.clientX > edge.left && event.clientY < edge.top + 40) { list.scrollTop -= 12; }
    if (event.clientX > edge.left && event.clientY > edge.bottom - 40) { list.scrollTop += 12; }
  };

  const drop = (event) => {
    if (!drag || event.pointerId !== drag.pointer) { return; }
    const { ghost, over, mission, unit, name, row } = drag;
    if (ghost) { show(null); }
    drag = null;
    document.body.classList.remove("is-dragging", "is-dragging-unit", "is-dragging-mission");
    if (row) { row.classList.remove("mission--lifted"); }
    if (!ghost) { return; }
    ghost.remove();
    justDragged = true;
    setTimeout(() => { justDragged = false; }, 0);
    if (!over || event.type !== "pointerup") { return; }
    if (unit) { board.assign(over.key, unit, name); } else { board.assign(mission, over.key, over.name); }
  };

  // Before the map hears of it: the map stops what begins on a box's number.
  document.addEventListener("pointerdown", begin, true);
  document.addEventListener("pointermove", moveOn, { passive: false });
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);
  // The click that ends a drag is no click on what it ends on.
  document.addEventListener("click", (event) => {
    if (justDragged) { event.preventDefault(); event.stopImmediatePropagation(); }
  }, true);
})();
