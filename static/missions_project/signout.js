/* Signing out wipes what the officer's page kept on this device, and asks first where something was not sent yet. */
"use strict";
(() => {
  const SOON_MS = 2000;
  const soon = (promise) => Promise.race([promise.catch(() => {}), new Promise((resolve) => { setTimeout(resolve, SOON_MS); })]);

  const forget = (name) => new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = request.onerror = request.onblocked = () => resolve();
  });

  const wipe = async () => {
    if (window.MissionsQueue) { await soon(window.MissionsQueue.close()); }
    await soon(forget("missions-officer"));
    if (window.caches) { await soon(caches.keys().then((names) => Promise.all(names.filter((name) => name.startsWith("missions-")).map((name) => caches.delete(name))))); }
    if (navigator.serviceWorker) { await soon(navigator.serviceWorker.getRegistrations().then((all) => Promise.all(all.map((one) => one.unregister())))); }
    [localStorage, sessionStorage].forEach((store) => Object.keys(store).filter((key) => key.startsWith("missions-")).forEach((key) => store.removeItem(key)));
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-signs-out]")) { return; }
    event.preventDefault();
    const waiting = Number(localStorage.getItem("missions-queued") || 0);
    const asked = ngettext("%(n)s press or note on this phone is not sent yet. Signing out deletes it. Sign out?", "%(n)s presses or notes on this phone are not sent yet. Signing out deletes them. Sign out?", waiting);
    if (waiting && !window.confirm(interpolate(asked, { n: waiting }, true))) { return; }
    await wipe();
    form.submit();
  });
})();
