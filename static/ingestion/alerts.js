/* Gunfire alerts of the last day on any map. MissionsAlerts.follow(map, {alerts, version, liveSeconds, zone}, ready) asks
   the version address every so many seconds, and for the alerts themselves only when the version has changed. It returns
   the layer, for pages with a switch of their own; where "ready" is given, the map's own switch gets it. */
"use strict";
window.MissionsAlerts = (() => {
  const FRESH_MS = 10 * 60 * 1000;
  const STAGES = { detected: "detected", reviewed: "reviewed", reclassified: "reclassified" };

  const clock = (at, zone) => {
    const options = { hour: "2-digit", minute: "2-digit", hour12: document.documentElement.dataset.clock === "12" };
    try {
      return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone || undefined }).format(at);
    } catch {
      return new Intl.DateTimeFormat("en-GB", options).format(at);
    }
  };

  const follow = (map, source, ready) => {
    if (!source.alerts || !source.version) { return null; }
    const pane = map.createPane("alerts");
    pane.style.zIndex = 620;
    const layer = L.layerGroup().addTo(map);
    const news = document.getElementById("alert-news");
    let version = null;
    let known = null;
    let asking = false;
    let stopped = false;

    if (ready) {
      ready.then(() => { if (map.layerscontrol) { map.layerscontrol.addOverlay(layer, gettext("Gunfire alerts, 24 hours")); } }).catch(() => {});
    }

    /* A session that ended answers with a redirect to the sign-in page: asking on would never end. */
    const get = async (url) => {
      const response = await fetch(url, { credentials: "same-origin", redirect: "manual", cache: "no-cache" });
      if (response.type === "opaqueredirect" || response.status === 404 || response.status === 403) { stopped = true; }
      return response.ok ? response.json() : null;
    };

    const words = (facts) => {
      const stage = STAGES[facts.stage];
      return `${gettext("Gunfire")} ${clock(new Date(facts.at), source.zone)}${stage ? `, ${stage}` : ""}`;
    };

    const draw = (data) => {
      layer.clearLayers();
      const now = Date.now();
      data.features.forEach((feature) => {
        const [lon, lat] = feature.geometry.coordinates;
        const fresh = now - Date.parse(feature.properties.at) < FRESH_MS;
        const mark = L.circleMarker([lat, lon], {
          pane: "alerts", radius: fresh ? 11 : 7, className: fresh ? "alert-mark alert-mark--fresh" : "alert-mark",
          weight: 2, fillOpacity: fresh ? 0.9 : 0.5,
        }).bindTooltip(document.createTextNode(words(feature.properties))).addTo(layer);
        // Its tooltip makes it a stop of the Tab key: then it has a name, and the map goes where the focus is.
        const shape = mark.getElement();
        if (shape) {
          shape.setAttribute("role", "img");
          shape.setAttribute("aria-label", words(feature.properties));
          shape.addEventListener("focus", () => {
            if (!map.getBounds().contains(mark.getLatLng())) { map.panTo(mark.getLatLng(), { animate: false }); }
          });
        }
      });
      const added = known === null ? [] : data.features.filter((feature) => !known.has(feature.id));
      known = new Set(data.features.map((feature) => feature.id));
      if (news && added.length) {
        news.textContent = added.length === 1 ? interpolate(gettext("New alert: %(what)s"), { what: words(added[0].properties) }, true) : interpolate(gettext("%(n)s new gunfire alerts"), { n: added.length }, true);
        news.hidden = false;
      }
    };

    const ask = async () => {
      if (asking || stopped || document.hidden) { return; }
      asking = true;
      try {
        const told = await get(source.version);
        // A page whose address tells of more than alerts hears all of it: one question for both.
        if (told) { document.dispatchEvent(new CustomEvent("missions:told", { detail: told })); }
        if (told && told.alerts !== version) {
          const data = await get(source.alerts);
          if (data) { draw(data); version = told.alerts; }
        }
      } catch {
        /* Off line for a moment: the next round asks again. */
      } finally {
        asking = false;
      }
    };

    /* The pause is read each time: a page may change its mind, as on a window that became narrow. */
    const round = async () => {
      await ask();
      setTimeout(round, 1000 * Number(source.liveSeconds || 15));
    };
    round();
    document.addEventListener("visibilitychange", ask);
    return layer;
  };

  return { follow };
})();
