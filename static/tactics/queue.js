/* What was pressed, kept on the phone until the server has it: in order, each with a number and the phone's own time. */
"use strict";
window.MissionsQueue = (() => {
  const NAME = "missions-officer";
  const BATCH = 50;
  const PATIENCE_MS = 20000;
  let opened = null;

  const base = () => {
    opened = opened || new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("actions", { keyPath: "seq", autoIncrement: true });
      request.onsuccess = () => {
        // Signing out in another tab deletes the store: an open connection would hold it.
        request.result.onversionchange = () => { request.result.close(); opened = null; };
        resolve(request.result);
      };
      request.onerror = () => { opened = null; reject(request.error); };
    });
    return opened;
  };

  const run = async (mode, work) => {
    const store = await base();
    return new Promise((resolve, reject) => {
      const transaction = store.transaction("actions", mode);
      const request = work(transaction.objectStore("actions"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  };

  const all = () => run("readonly", (store) => store.getAll());
  const remove = (seq) => run("readwrite", (store) => store.delete(seq));
  const change = (row) => run("readwrite", (store) => store.put(row));

  /* Read by the sign-out of every page, which cannot wait for a store. */
  const count = async (owner) => {
    const rows = (await all()).filter((row) => row.owner === owner);
    localStorage.setItem("missions-queued", String(rows.filter((row) => row.state === "waiting" || row.kind === "note").length));
    return rows;
  };

  const newNumber = () => {
    if (crypto.randomUUID) { return crypto.randomUUID(); }
    // Without https there is no randomUUID.
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  };

  /* How far the phone is behind the server, as of the last contact; null before the first. */
  const skew = () => {
    const text = localStorage.getItem("missions-skew");
    return text === null ? null : Number(text);
  };
  const heard = (serverNow, deviceNow) => { localStorage.setItem("missions-skew", String(Math.round(serverNow - deviceNow))); };

  const add = (row) => run("readwrite", (store) => store.add({ ...row, uuid: newNumber(), device_at: Date.now(), skew_ms: skew(), state: "waiting" }));

  const call = async (url, options) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
    try {
      // Not followed: a session that ended answers with the way to the sign-in page.
      return await fetch(url, { credentials: "same-origin", redirect: "manual", cache: "no-store", signal: stop.signal, ...options });
    } finally {
      clearTimeout(timer);
    }
  };

  const cookieToken = () => (document.cookie.match(/(?:^|; )csrftoken=([^;]+)/) || [])[1] || "";

  const post = async (url, body) => {
    const send = (token) => call(url, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify(body()) });
    const token = cookieToken();
    const first = token ? await send(token) : null;
    if (first && first.status !== 403) { return first; }
    // A token from yesterday's page, or none: ask for a fresh one and try once more.
    const asked = await call(url, { headers: { Accept: "application/json" } });
    return asked.ok ? send((await asked.json()).token) : asked;
  };

  /* Sends what waits, oldest first. Says how it went and what became of each; never throws. */
  const send = async (owner, person) => {
    const told = { state: "sent", results: [] };
    for (;;) {
      const waiting = (await all()).filter((row) => row.owner === owner && row.state === "waiting");
      if (!waiting.length) { return told; }
      const first = waiting[0];
      const batch = [];
      // One address and unit at a time, and never past a row of another: the order is the officer's.
      for (const row of waiting) {
        if (row.sync !== first.sync || row.unit !== first.unit || batch.length >= BATCH) { break; }
        batch.push(row);
      }
      const askedAt = Date.now();
      let response;
      try {
        response = await post(first.sync, () => ({
          person, unit: first.unit, device_now: Date.now(),
          actions: batch.map(({ uuid, kind, mission, device_at, skew_ms, tactic, used, text }) => ({ uuid, kind, mission, device_at, skew_ms, tactic, used, text })),
        }));
      } catch {
        return { ...told, state: "offline" };
      }
      if (response.type === "opaqueredirect") { return { ...told, state: "signed out" }; }
      if (response.status === 409) { return { ...told, state: "somebody else", message: (await response.json()).error }; }
      if (!response.ok) { return { ...told, state: "failed" }; }
      const answer = await response.json();
      heard(Date.parse(answer.server_now), (askedAt + Date.now()) / 2);
      const byNumber = new Map(answer.results.map((result) => [result.uuid, result]));
      let moved = false;
      for (const row of batch) {
        const result = byNumber.get(row.uuid);
        if (!result) { continue; }
        moved = true;
        told.results.push({ ...result, row });
        if (result.status === "refused") { await change({ ...row, state: "refused", message: result.message }); } else { await remove(row.seq); }
      }
      if (!moved) { return { ...told, state: "failed" }; }
    }
  };

  /* Two tabs take turns. Where a browser knows no locks the server still applies each number once. */
  const sync = (owner, person) => (navigator.locks ? navigator.locks.request("missions-sync", () => send(owner, person)) : send(owner, person));

  const close = async () => { if (opened) { (await opened).close(); opened = null; } };

  return { add, all, change, close, count, heard, remove, skew, sync };
})();
