/* Missions are given to units by dragging: a row by the mouse, its grip by a finger, onto a unit of list or timeline. */
"use strict";
(() => {
  const board = window.MissionsBoard;
  const list = document.getElementById("board-list");
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
        problem = [400, 409].includes(response.status) ? await response.text() : "Your role does not include this, or you are signed out.";
      }
    } catch {
      problem = "No connection: nothing was changed. Try again.";
    }
    board.say(problem || `Mission ${number} → ${name}`, problem);
    if (!problem) { htmx.trigger(document.body, "missions-changed"); }
    return !problem;
  };

  const begin = (event) => {
    if (event.button !== 0 || !event.target.closest) { return; }
    const row = event.target.closest("[data-mission]");
    if (!row) { return; }
    // A finger on the row scrolls the list; only the grip drags.
    const grip = row.querySelector(".mission__grip").getBoundingClientRect();
    if (event.pointerType !== "mouse" && event.clientX > grip.right) { return; }
    drag = { row, mission: row.dataset.mission, x: event.clientX, y: event.clientY, pointer: event.pointerId, ghost: null, over: null };
  };

  const lift = () => {
    const ghost = document.createElement("div");
    ghost.className = "drag-ghost";
    const parts = [".mission__number", ".type-box", ".mission__times"].map((name) => drag.row.querySelector(name).cloneNode(true));
    ghost.append(...parts);
    document.body.append(ghost);
    drag.ghost = ghost;
    document.body.classList.add("is-dragging");
    drag.row.classList.add("mission--lifted");
  };

  const unitAt = (x, y) => {
    const element = document.elementFromPoint(x, y);
    return element && element.closest("[data-unit]");
  };

  const moveOn = (event) => {
    if (!drag || event.pointerId !== drag.pointer) { return; }
    if (!drag.ghost) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < START_PX) { return; }
      lift();
    }
    event.preventDefault();
    drag.ghost.style.transform = `translate(${event.clientX + 10}px, ${event.clientY + 10}px)`;
    const over = unitAt(event.clientX, event.clientY);
    if (over !== drag.over) {
      if (drag.over) { drag.over.classList.remove("unit--over"); }
      if (over) { over.classList.add("unit--over"); }
      drag.over = over;
    }
    // Near the list's edge it scrolls on: the unit wanted may be out of sight.
    const edge = list.getBoundingClientRect();
    if (event.clientX > edge.left && event.clientY < edge.top + 40) { list.scrollTop -= 12; }
    if (event.clientX > edge.left && event.clientY > edge.bottom - 40) { list.scrollTop += 12; }
  };

  const drop = (event) => {
    if (!drag || event.pointerId !== drag.pointer) { return; }
    const { ghost, over, mission, row } = drag;
    drag = null;
    document.body.classList.remove("is-dragging");
    row.classList.remove("mission--lifted");
    if (!ghost) { return; }
    ghost.remove();
    justDragged = true;
    setTimeout(() => { justDragged = false; }, 0);
    if (over) { over.classList.remove("unit--over"); }
    if (over && event.type === "pointerup") { board.assign(mission, over.dataset.unit, over.dataset.name); }
  };

  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", moveOn, { passive: false });
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);
  // The click that ends a drag is no click on the row.
  document.addEventListener("click", (event) => {
    if (justDragged) { event.preventDefault(); event.stopPropagation(); }
  }, true);
})();
