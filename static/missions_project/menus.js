/* Menus (<details class="menu">) close when the page is clicked beside them, when another opens, and by Escape. */
"use strict";
(() => {
  const close = (except) => document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!except || !menu.contains(except)) { menu.open = false; }
  });
  document.addEventListener("click", (event) => close(event.target.closest(".menu__item") ? null : event.target));
  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector("details.menu[open]");
    if (!open) { return; }
    // Only the menu: what lies under it keeps its own Escape.
    event.stopImmediatePropagation();
    open.open = false;
    open.querySelector("summary").focus();
  });
})();
