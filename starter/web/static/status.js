// The page is right without this. It adds the reader's own time, says at once when a promised update is late, and
// fetches the page anew without moving what is being read.
(() => {
  "use strict";
  const EVERY = 60000;
  let skew = null; // milliseconds by which this device's clock is ahead of the server's

  const time = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
  const today = new Intl.DateTimeFormat(undefined, time);
  const otherDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...time });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "short" });

  function localise() {
    for (const told of document.querySelectorAll("time[datetime]:not([title])")) {
      const at = new Date(told.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      told.title = told.textContent;
      if (/\d{4},/.test(told.textContent)) continue; // years ago: the day is enough
      told.textContent = (day.format(at) === day.format(new Date()) ? today : otherDay).format(at);
    }
    document.querySelector("#zone").textContent = "Times are your own; UTC shows when you point at one.";
  }

  function lateness() {
    if (skew === null) return;
    for (const promise of document.querySelectorAll("[data-due]:not(.late)")) {
      if (Date.now() - skew < Date.parse(promise.dataset.due)) continue;
      const time = promise.querySelector("time");
      promise.classList.add("late");
      promise.replaceChildren("The next update was promised for ", time, " and is late.");
    }
  }

  async function renew() {
    try {
      const answer = await fetch(location.href, { cache: "no-cache" });
      const said = Date.parse(answer.headers.get("date") || "");
      if (!Number.isNaN(said)) skew = Date.now() - said;
      if (answer.ok && !document.querySelector("details[open]")) {
        const next = new DOMParser().parseFromString(await answer.text(), "text/html");
        const main = next.querySelector("main");
        const now = document.querySelector("main");
        if (main && main.dataset.version !== now.dataset.version) {
          now.replaceWith(document.adoptNode(main));
          document.title = next.title;
          localise();
        }
      }
    } catch (error) {
      console.info("the page could not be renewed; it is tried again", error);
    }
    lateness();
  }

  localise();
  setInterval(lateness, 1000);
  setInterval(renew, EVERY);
  document.addEventListener("visibilitychange", () => document.hidden || renew());
  setTimeout(renew, 2000);
})();
