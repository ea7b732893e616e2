/* The service worker of the officer's pages. CONFIG comes before this text: {home, slug, version}. It keeps one person's
   pages of one shift; it never touches what is sent. */
"use strict";
const PAGES = `missions-officer-${CONFIG.slug}-pages`;
const FILES = `missions-officer-${CONFIG.slug}-files-${CONFIG.version}`;
const WHO = "/kept-for";
const OLDEST_MS = 12 * 3600 * 1000;
const FRESH_MS = 5 * 60 * 1000;
const PATIENCE_MS = 5000;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith(`missions-officer-${CONFIG.slug}-files-`) && name !== FILES);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  })());
});

const keptAt = (response) => Number(response.headers.get("X-Kept-At") || 0);

/* A copy with its own policy, marked as a copy. The nonce in the text belongs to the policy beside it. */
const copyOf = async (response) => {
  const headers = new Headers(response.headers);
  ["Content-Encoding", "Content-Length", "Set-Cookie"].forEach((name) => headers.delete(name));
  headers.set("X-Kept-At", String(Date.now()));
  return new Response((await response.text()).replace('data-fresh="1"', 'data-fresh="0"'), { status: 200, headers });
};

const isOwnPage = (response) => response.ok && !response.redirected && (response.headers.get("Content-Type") || "").startsWith("text/html");

const within = (promise, ms) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error("too slow")), ms);
  promise.then((value) => { clearTimeout(timer); resolve(value); }, (error) => { clearTimeout(timer); reject(error); });
});

const keepPages = async (cache, urls, anew) => {
  for (const url of urls) {
    const known = await cache.match(url);
    if (!anew && known && Date.now() - keptAt(known) < FRESH_MS) { continue; }
    try {
      const response = await fetch(url, { credentials: "same-origin", cache: "no-store" });
      if (isOwnPage(response)) { await cache.put(url, await copyOf(response)); }
    } catch {
      return;
    }
  }
};

const keepFiles = async (cache, urls) => {
  for (const url of urls) {
    if (new URL(url, self.location).origin !== self.location.origin) { continue; }
    try {
      const response = await fetch(url, { credentials: "same-origin" });
      if (response.ok && !response.redirected) { await cache.put(url, response); }
    } catch {
      return;
    }
  }
};

self.addEventListener("message", (event) => {
  if (!event.data || event.data.kind !== "keep") { return; }
  event.waitUntil((async () => {
    const { person, pages, files, maps, anew } = event.data;
    const known = await caches.match(WHO, { cacheName: PAGES });
    // A shared phone: what was kept for one person is gone before anything is kept for the next.
    if (known && (await known.text()) !== person) { await caches.delete(PAGES); }
    const cache = await caches.open(PAGES);
    await cache.put(WHO, new Response(person));
    await keepPages(cache, pages, anew);
    const missing = [];
    for (const url of maps) { if (!(await cache.match(url))) { missing.push(url); } }
    await keepFiles(cache, missing);
    const store = await caches.open(FILES);
    await keepFiles(store, files);
    // Missions of last week's shifts are nobody's business any more.
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      const at = keptAt(response);
      if (at && Date.now() - at > OLDEST_MS) { await cache.delete(request); }
    }
    if (event.source) { event.source.postMessage({ kind: "kept", pages: pages.length }); }
  })());
});

const page = async (request) => {
  try {
    return await within(fetch(request), PATIENCE_MS);
  } catch (error) {
    const cache = await caches.open(PAGES);
    const path = new URL(request.url).pathname;
    // The unit stays in the address of the copy; the first page of the shift stands in for one that was never kept.
    const kept = (await cache.match(request.url)) || (await cache.match(path)) || (await cache.match(CONFIG.home));
    if (kept && Date.now() - keptAt(kept) < OLDEST_MS) { return kept; }
    throw error;
  }
};

const map = async (request) => {
  try {
    return await within(fetch(request), PATIENCE_MS);
  } catch (error) {
    const kept = await caches.match(request, { cacheName: PAGES });
    if (kept) { return kept; }
    throw error;
  }
};

const file = async (request) => (await caches.match(request, { cacheName: FILES })) || fetch(request);

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) { return; }
  if (request.mode === "navigate" && url.pathname.startsWith(CONFIG.home)) { event.respondWith(page(request)); }
  else if (url.pathname.endsWith("/place.geojson")) { event.respondWith(map(request)); }
  else if (["script", "style", "image", "font"].includes(request.destination)) { event.respondWith(file(request)); }
});
