/* Django opens the admin's side bar after the page was shown, and everything jumps to the right. It is opened here as soon
   as its place has been read, unless the person has closed it. */
"use strict";
(() => {
  let closed = false;
  try { closed = localStorage.getItem("django.admin.navSidebarIsOpen") === "false"; } catch { /* no storage: as by default */ }
  if (closed) { return; }
  new MutationObserver((_, observer) => {
    const main = document.getElementById("main");
    if (!main) { return; }
    if (main.querySelector("#nav-sidebar")) { main.classList.add("shifted"); }
    if (main.querySelector("#nav-sidebar, .content")) { observer.disconnect(); }
  }).observe(document, { childList: true, subtree: true });
})();
