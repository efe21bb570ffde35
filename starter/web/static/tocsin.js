// What scripts add to pages that work without them: clocks that count, forms answered in place, kept drafts, keys.
// The server decides everything; nothing here knows a rule of the process. Types stand in comments (JSDoc).
"use strict";

/** @type {<T extends HTMLElement>(selector: string, from?: ParentNode) => T[]} */
const all = (selector, from = document) => /** @type {any} */ ([...from.querySelectorAll(selector)]);
/** @type {(selector: string, from?: ParentNode) => any} */
const one = (selector, from = document) => from.querySelector(selector);
const body = document.body;
const room = body.dataset.room;

// ---- Time: the server's, whatever this machine believes -------------------------------------------------------
const arrived = /** @type {any} */ (performance.getEntriesByType("navigation")[0])?.responseStart ?? performance.now();
let skew = Date.parse(body.dataset.now ?? "") - (Date.now() - (performance.now() - arrived));
const serverNow = () => Date.now() + skew;
const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
const clockTime = () => new Date(serverNow()).toISOString().slice(11, 19);

/** How long, as the server writes it: `5:00`, `1 h 12`, `2 d 4 h`. @param {number} seconds */
function span(seconds) {
  const s = Math.abs(Math.round(seconds));
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
  const h = Math.floor(s / 3600);
  return h < 24 ? `${h} h ${two(Math.floor(s / 60) % 60)}` : `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** Write only what differs: readers of the page hear nothing, and nothing is drawn anew. @param {Element} element @param {string} text */
const write = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };

/** @type {Map<string, number>} what was left of each clock when it was last looked at */
const lastLeft = new Map();
const MARKS = [300, 60, 0];
let title = document.title;
/** @type {{ due: number } | null} the most urgent clock, as asked for while nobody looks and the page is not kept up to date */
let urgentElsewhere = null;

/** What to say of a clock: something at five minutes, at one minute and when it is overdue, else nothing. @param {string} name @param {string} due @param {number} left */
function spoken(name, due, left) {
  const before = lastLeft.get(name + due);
  lastLeft.set(name + due, left);
  const mark = before === undefined ? undefined : MARKS.find((each) => before > each && left <= each);
  if (mark === undefined) return [];
  return [mark === 0 ? `${name} is overdue` : `${name} is due in ${mark / 60} minute${mark > 60 ? "s" : ""}`];
}

function tick() {
  let urgent = Infinity;
  /** @type {string[]} */
  const sentences = [];
  for (const clock of all("[data-due]")) {
    const face = one("[data-countdown]", clock);
    if (!face) continue; // A promise in the preview of the public page: it has its own way to be late.
    const left = (Date.parse(clock.dataset.due ?? "") - serverNow()) / 1000;
    write(face, (left <= 0 ? "+" : "") + span(left));
    write(one("[data-state-word]", clock), left <= 0 ? "overdue" : "left");
    clock.classList.toggle("overdue", left <= 0);
    clock.classList.toggle("due-soon", left > 0 && left < 300);
    sentences.push(...spoken(face.getAttribute("aria-label") ?? "", clock.dataset.due ?? "", left));
    urgent = Math.min(urgent, left);
  }
  if (sentences.length) write(one("#announce"), sentences.join(". "));
  for (const age of all("[data-age]")) write(age, span((serverNow() - Date.parse(age.dataset.age ?? "")) / 1000));
  if (document.hidden && urgentElsewhere) urgent = (urgentElsewhere.due - serverNow()) / 1000;
  const owed = all(".needs li").length;
  document.title = (owed ? `(${owed}) ` : "") + (urgent === Infinity ? title : `${urgent <= 0 ? "+" : ""}${span(urgent)}${urgent <= 0 ? " overdue" : ""} · ${title}`);
}

function localTimes() {
  for (const time of all("time[data-local]:not([title])")) time.title = new Date(/** @type {any} */ (time).dateTime).toLocaleString() + " your time";
}

// ---- Connection, in words ---------------------------------------------------------------------------------------
let newsAt = clockTime();
const words = one("#live-state");
/** @param {boolean} on */
function connected(on) {
  if (!words) return;
  if (on) newsAt = clockTime();
  words.className = `live ${on ? "on" : "off"}`;
  write(words, on ? (room ? "Live" : `as of ${newsAt} UTC`) : `Reconnecting, data from ${newsAt}`);
}

const stream = one("#live");
if (stream) {
  let stopped = false;
  const signedOut = (/** @type {number | undefined} */ status) => {
    if (status !== 401) return false;
    stopped = true;
    write(words, `Signed out, data from ${newsAt}. Reload to sign in`);
    words.className = "live off";
    return true;
  };
  stream.addEventListener("htmx:sse:error", (/** @type {any} */ event) => { if (signedOut(event.detail.status)) stream.remove(); });
  let heardAt = Date.now();
  stream.addEventListener("htmx:sse:after:connection", () => { heardAt = Date.now(); connected(true); });
  stream.addEventListener("htmx:sse:before:connection", (/** @type {any} */ event) => { if (event.detail.connection.attempt > 0 && !document.hidden) connected(false); });
  stream.addEventListener("htmx:sse:after:message", () => { heardAt = Date.now(); connected(true); changed(); });
  stream.addEventListener("servertime", (/** @type {any} */ event) => { skew = Date.parse(event.detail.data) - Date.now(); heardAt = Date.now(); });
  // htmx begins by itself as soon as it is loaded, which may be before its extension is: so the address is given to it here, after both.
  setTimeout(() => { stream.setAttribute("hx-sse:connect", stream.dataset.connect); /** @type {any} */ (window).htmx.process(stream); });
  // htmx does not retry a first connection that was refused or failed; later ones it does.
  const again = (/** @type {any} */ event) => { if (signedOut(event.detail.ctx?.response?.raw?.status)) return; if (!stopped && !stream._htmx?.sse) { connected(false); setTimeout(() => stream.dispatchEvent(new Event("retry")), 1000); } };
  for (const name of ["htmx:response:error", "htmx:error"]) stream.addEventListener(name, again);
  stream.addEventListener("trouble", (/** @type {any} */ event) => { const place = one("#trouble"); place.hidden = !event.detail.data; write(place, event.detail.data ? `No worker answers: what is pressed waits, the clocks go on. ${event.detail.data}` : ""); });
  stream.addEventListener("writing", (/** @type {any} */ event) => { const place = one("#beside"); place.hidden = !event.detail.data; write(place, event.detail.data ? `${event.detail.data} Yours would come on top: ask, or wait for it here.` : ""); });
  stream.addEventListener("over", () => { stopped = true; stream._htmx?.sse?.abortController.abort(); stream.remove(); write(words, `Closed, as of ${clockTime()} UTC`); words.className = "live"; });
  // A line that is cut without a word: the server says the time every 15 seconds.
  setInterval(() => { if (!stopped && !document.hidden && Date.now() - heardAt > 40_000) { connected(false); stream._htmx?.sse?.reader?.cancel(); } }, 5000);
  // Nobody looks: the stream is released, and the title is kept right by a question every half minute.
  setInterval(async () => {
    if (!document.hidden) return;
    const badge = await fetch(`/incidents/${room}/badge`).then((answer) => answer.json()).catch(() => null);
    if (badge?.now) { skew = Date.parse(badge.now) - Date.now(); urgentElsewhere = { due: badge.due ? Date.parse(badge.due) : Infinity }; tick(); }
  }, 30_000);
  document.addEventListener("visibilitychange", () => { urgentElsewhere = null; tick(); });
}

// ---- Focus: what is drawn anew under somebody's hand leaves them where they are -------------------------------
/** What can be reached with Tab. @param {any} region */
const stops = (region) => all("a[href], button, summary", region).filter((each) => each.checkVisibility());
const named = (/** @type {Element} */ stop) => `${stop.tagName} ${stop.getAttribute("aria-label") ?? stop.textContent?.trim()}`;
/** @type {{ here: HTMLElement, region: Element | null, name: string, at: number, anchor: Element, top: number, seen: boolean } | null} */
let held = null;
stream?.addEventListener("htmx:sse:before:message", () => {
  const here = /** @type {any} */ (document.activeElement ?? body);
  const region = here.closest("[data-live]");
  const anchor = here.closest("li") ?? here;
  const box = here.getBoundingClientRect();
  held = here === body ? null : { here, region, name: named(here), at: region ? stops(region).indexOf(here) : -1, anchor, top: anchor.getBoundingClientRect().top, seen: box.bottom > 0 && box.top < innerHeight };
});
stream?.addEventListener("htmx:sse:after:message", () => {
  if (!held) return;
  const { here, region, name, at, anchor, top, seen } = held;
  // What grew above it does not push it away.
  if (seen && anchor.isConnected) scrollBy({ top: anchor.getBoundingClientRect().top - top, behavior: "instant" });
  if (document.activeElement === here || !region || document.activeElement !== body) return;
  // It is gone: its likeness, else what stands in its place.
  const there = stops(region);
  const next = there.find((each) => named(each) === name) ?? there[Math.min(at, there.length - 1)] ?? one("#main");
  next.focus({ preventScroll: true });
  if (next.id !== "main") next.scrollIntoView({ block: "nearest", behavior: "instant" });
});

// The list asks anew every few seconds, but not under the reader's hand; seldom while nobody looks, for the title's sake.
const list = one("[data-poll]");
if (list) {
  let touched = 0;
  list.addEventListener("pointermove", () => { touched = Date.now(); });
  let asked = Date.now();
  const ask = () => { asked = Date.now(); one("[data-poll]").dispatchEvent(new Event("refresh")); };
  setInterval(() => {
    if (document.hidden ? Date.now() - asked >= 30_000 : Date.now() - touched > 3000 && !one("[data-poll]").contains(document.activeElement)) ask();
  }, 4000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  document.addEventListener("htmx:after:swap", () => { connected(true); changed(); });
  document.addEventListener("htmx:error", () => connected(false));
  document.addEventListener("htmx:response:error", () => connected(false));
}

// ---- The timeline: new rows wait while somebody reads further down ---------------------------------------------
const timeline = one("#timeline");
const news = one("#news");
if (timeline) {
  const reading = () => timeline.getBoundingClientRect().top < 0 || timeline.contains(document.activeElement);
  const waiting = () => all(".entry.queued", timeline).filter((row) => timeline.dataset.shows !== "key" || row.classList.contains("key"));
  const tell = () => {
    const count = waiting().length;
    news.hidden = count === 0;
    write(news, `${count} new ↑`);
  };
  new MutationObserver((changes) => {
    for (const row of /** @type {any[]} */ (changes.flatMap((change) => [...change.addedNodes]))) {
      if (row.nodeType !== 1 || !row.id) continue;
      if (all(`[id="${row.id}"]`, timeline).length > 1) row.remove();
      else if (!reading()) row.classList.remove("queued");
    }
    tell();
  }).observe(timeline, { childList: true });
  news.addEventListener("click", () => {
    for (const row of all(".queued", timeline)) row.classList.remove("queued");
    tell();
    one("#timeline-title").scrollIntoView({ block: "start" });
  });
}

// ---- On a phone, the next step stays at hand once it is out of sight ------------------------------------------------
const bar = one("#r-bar");
if (bar) new IntersectionObserver((seen) => { bar.hidden = seen.at(-1)?.isIntersecting ?? true; }).observe(one("#r-next"));

// ---- What is open stays as people left it; only a new phase opens its own list -----------------------------------
const checklists = one("#r-checklists");
/** @type {Map<string, boolean>} what somebody has opened or closed by hand */
const byHand = new Map();
let currentList = one("[data-current]", checklists ?? document)?.id;
document.addEventListener("click", (event) => {
  const summary = /** @type {any} */ (event.target).closest?.("summary");
  if (summary?.parentElement.id) byHand.set(summary.parentElement.id, !summary.parentElement.open);
  if (summary?.parentElement.id === "coach") sessionStorage.setItem("tocsin coach", summary.parentElement.open ? "closed" : "open");
});
function followPhase() {
  const here = checklists && one("[data-current]", checklists);
  if (!here || here.id === currentList) return;
  const before = currentList && one(`#${currentList}`);
  if (before && !byHand.get(before.id)) before.open = false;
  here.open = true;
  currentList = here.id;
}
const coach = one("#coach");
if (coach) {
  const chosen = sessionStorage.getItem("tocsin coach");
  if (chosen === "open" || (!chosen && matchMedia("(min-width: 1001px)").matches)) coach.open = true;
}

// ---- No worker: the page looks again, and never takes a field away from somebody who types -----------------------
if ("stale" in body.dataset) {
  const look = async () => {
    const found = await fetch(location.pathname, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!found?.ok) { setTimeout(look, 5000); return; }
    if (!document.activeElement?.matches("input, textarea, select") && !underWay.size) { location.reload(); return; }
    write(one("#stale-words"), "A worker answers again; what you type is kept.");
  };
  setTimeout(look, 5000);
}

// ---- Drafts: nothing typed is lost, and nobody else who signs in here gets it ----------------------------------
const draftName = (/** @type {HTMLFormElement} */ form) => `tocsin draft ${body.dataset.who} ${location.pathname} ${form.dataset.draft}`;
/** @param {any} form */
function keep(form) {
  const kept = Object.fromEntries([...form.elements].filter((e) => e.name && e.type !== "hidden" && e.type !== "submit").filter((e) => e.type !== "radio" || e.checked)
    .map((e) => [e.name, e.type === "checkbox" ? e.checked : e.value]));
  try { sessionStorage.setItem(draftName(form), JSON.stringify(kept)); } catch { /* A full or forbidden store costs the draft's safety, never the page. */ }
}
/** @param {any} form */
function restore(form) {
  const kept = JSON.parse(sessionStorage.getItem(draftName(form)) ?? "null");
  if (!kept) return;
  for (const field of form.elements) {
    if (!(field.name in kept) || field.type === "hidden") continue;
    if (field.type === "checkbox") field.checked = kept[field.name];
    else if (field.type === "radio") field.checked = field.value === kept[field.name];
    else if (!field.value) field.value = kept[field.name];
  }
}
const forget = (/** @type {any} */ form) => sessionStorage.removeItem(draftName(form));
const drafts = /** @type {any[]} */ (all("form[data-draft]"));
for (const form of drafts) {
  if (new URLSearchParams(location.search).has("done") && location.hash === "#answer" && form.dataset.draft === "composer") forget(form);
  restore(form);
  form.addEventListener("input", () => keep(form));
  if (!form.dataset.command) form.addEventListener("submit", () => sessionStorage.setItem("tocsin sent", JSON.stringify([draftName(form), location.pathname])));
}
// A form that led to another page was accepted; one that failed on the way, or came back with its mistakes, keeps its draft.
const [sentDraft, sentFrom] = JSON.parse(sessionStorage.getItem("tocsin sent") ?? "[]");
if (sentDraft && sentFrom !== location.pathname) for (const name of [sentDraft, "tocsin sent"]) sessionStorage.removeItem(name);

// ---- Forms answered in place ------------------------------------------------------------------------------------
const freshKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const answerPlace = one("#answer");

/** Say something where the person looks, and lead keyboard and screen reader there. @param {any} form @param {string | Node} said @param {boolean} [leads] */
function answer(form, said, leads = true) {
  const inPlace = form.closest("[data-live], #answer") ? one("#r-next") : form;
  // The live page may have drawn anew what was pressed: then it stands beside the next step.
  (inPlace?.isConnected ? inPlace : one("#r-next"))?.after(answerPlace);
  if (typeof said === "string") answerPlace.innerHTML = said;
  else answerPlace.replaceChildren(said);
  if (leads) answerPlace.focus();
  localTimes();
}

/** @param {string} tone @param {string} strong @param {string} rest @param {Node[]} more */
function notice(tone, strong, rest, ...more) {
  const section = document.createElement("section");
  section.className = `notice ${tone}`;
  section.setAttribute("role", "status");
  const text = document.createElement("p");
  text.append(Object.assign(document.createElement("strong"), { textContent: strong }), ` ${rest} `, ...more);
  section.append(text);
  return section;
}

/** Say beside a field what is wrong with it, as the page does that the server draws. @param {any} field @param {string} message */
function wrong(field, message) {
  const told = Object.assign(document.createElement("p"), { className: "error", id: `${field.id}-error`, textContent: `${field.labels[0]?.firstChild?.textContent?.trim() ?? ""} ${message.trim()}` });
  field.closest(".field").append(told);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", [...(field.getAttribute("aria-describedby")?.split(" ") ?? []), told.id].join(" "));
}
/** Nothing is wrong with it any more. @param {any} field */
function right(field) {
  field.removeAttribute("aria-invalid");
  one(".error", field.closest(".field"))?.remove();
  const rest = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((/** @type {string} */ id) => id && id !== `${field.id}-error`);
  if (rest.length) field.setAttribute("aria-describedby", rest.join(" ")); else field.removeAttribute("aria-describedby");
}

const PATIENCE = 2000; // After this long without an answer a person is told what it waits for.
const AGAIN_AFTER = 3000;
const GIVES_UP_AFTER = 600_000;
/** @type {Set<string>} what is under way: a form may be drawn anew meanwhile, and must not be sent twice */
const underWay = new Set();
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Show on the button that it was pressed; what is given back shows that it is over. @param {any} button */
function pressed(button) {
  if (!button) return () => {};
  const said = [...button.childNodes];
  button.setAttribute("aria-busy", "true");
  if (!button.classList.contains("tick")) button.replaceChildren("Sending…");
  return () => {
    if (button.getAttribute("aria-busy") !== "true") return;
    button.removeAttribute("aria-busy");
    if (!button.classList.contains("tick")) button.replaceChildren(...said);
  };
}

/** Ask, and as long as nobody works ask the same again under the same key: it is carried out once. @param {string} address @param {URLSearchParams} body @param {AbortSignal} stop */
async function ask(address, body, stop) {
  const since = Date.now();
  for (;;) {
    const sent = await fetch(address, { method: "POST", body, headers: { "HX-Request": "true", Accept: "text/html" }, redirect: "manual", signal: stop });
    if (sent.status !== 503 || !sent.headers.get("content-type")?.startsWith("text/html") || Date.now() - since > GIVES_UP_AFTER) return sent;
    await pause(AGAIN_AFTER);
    stop.throwIfAborted();
  }
}

/** What was sent and taken is over: its form is empty again, also of what a link or the server had filled in. @param {any} form */
function emptied(form) {
  const radios = new Set();
  for (const field of form.elements) {
    if (field.type === "hidden" || field.type === "submit") continue;
    if (field.type === "radio") { field.defaultChecked = !radios.has(field.name); radios.add(field.name); }
    else if (field.type === "checkbox") field.defaultChecked = false;
    else if (field.tagName === "SELECT") for (const choice of field.options) choice.defaultSelected = false;
    else field.defaultValue = "";
  }
  form.reset();
}

/** Fold the form that was taken and put it back to its slot; what is given back is where its answer belongs. @param {any} form */
function folded(form) {
  const place = form.closest("details.verb");
  if (!place) return form;
  if (new URLSearchParams(location.search).has("do")) history.replaceState(null, "", location.pathname);
  place.open = false;
  if (!place.closest("#bench")) return place;
  one(`[data-slot="${place.id.slice(3)}"]`).append(place);
  return one("#r-next");
}

/** Tick an item everywhere that it stands, and keep the focus where it was. The live page draws the same again, with who and when. @param {string} item @param {Document} said */
function ticked(item, said) {
  write(one("#announce"), said.querySelector("strong")?.textContent ?? "");
  const fields = /** @type {any[]} */ (all(`.checklist input[name="item"][value="${CSS.escape(item)}"]`));
  for (const field of fields) {
    const row = field.closest("li");
    const list = row.closest("ul");
    const at = all("button.tick", list).indexOf(one("button.tick", row));
    const here = row.contains(document.activeElement);
    const mark = Object.assign(document.createElement("span"), { className: "tick done" });
    mark.append(said.querySelector(".icon")?.cloneNode(true) ?? "✓");
    field.form.replaceWith(mark);
    for (const link of all(".skip-item", row)) link.remove();
    row.className = "done";
    const rest = all("button.tick", list);
    if (here) (rest[Math.min(at, rest.length - 1)] ?? one("summary", list.closest("details") ?? body))?.focus({ preventScroll: true });
  }
}

/** @type {any} the form that was turned away since the sign-in had ended */
let signedOutOf = null;
// Whoever comes back from signing in beside this page is told that the same press counts now.
document.addEventListener("visibilitychange", async () => {
  if (document.hidden || !signedOutOf) return;
  const sent = await fetch(`/incidents/${room}/badge`, { redirect: "manual" }).catch(() => null);
  if (!sent?.ok || !signedOutOf) return;
  answer(signedOutOf, notice("good", "You are signed in again.", "What you typed is here. Press again to send it.", ...(!stream || stream.isConnected ? [] : [Object.assign(document.createElement("a"), { href: location.pathname, textContent: "Load the page anew, with what you typed, to follow it live" })])), false);
  signedOutOf = null;
});

/** @param {any} form @param {any} [button] */
async function send(form, button) {
  const key = form.elements.key ?? form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "key" }));
  // One key a question: pressed again after a lost line it is the same question; after an answer it is a new one.
  key.value ||= freshKey();
  const body = new URLSearchParams(/** @type {any} */ (new FormData(form)));
  const address = form.getAttribute("action") ?? "";
  const question = `${address} ${new URLSearchParams([...body].filter(([name]) => name !== "key"))}`;
  if (underWay.has(question) || form.dataset.busy) return;
  underWay.add(question);
  form.dataset.busy = "yes";
  const item = button?.classList.contains("tick") ? form.elements.namedItem("item").value : "";
  const restored = pressed(button ?? one("button", form));
  const stop = new AbortController();
  const patience = setTimeout(() => {
    const enough = Object.assign(document.createElement("button"), { type: "button", textContent: "Stop waiting" });
    enough.addEventListener("click", () => stop.abort());
    answer(form, notice("warn", "Waiting for the worker.", "What you pressed is kept here and counts once; it is sent again by itself until it is answered.", enough), false);
  }, PATIENCE);
  try {
    const sent = await ask(address, body, stop.signal);
    if (sent.status === 401 || sent.type === "opaqueredirect") {
      const link = Object.assign(document.createElement("a"), { href: "/login?next=/login%3Fbeside%3D1", target: "_blank", textContent: "Sign in in a new tab" });
      signedOutOf = form;
      answer(form, notice("warn", "You are signed out.", "What you typed is kept here. Then press again:", link));
      return;
    }
    if (sent.status >= 500 && !sent.headers.get("content-type")?.startsWith("text/html")) throw new TypeError(`status ${sent.status}`);
    const said = await sent.text();
    if (sent.status !== 503) key.value = freshKey();
    for (const field of all("[aria-invalid]", form)) right(field);
    const over = sent.ok && !said.includes("data-of-composer");
    const place = over ? folded(form) : form;
    // Whoever goes through a checklist stays in it: the tick itself is the answer.
    if (over && item) ticked(item, new DOMParser().parseFromString(said, "text/html"));
    else answer(place, said.includes("data-answer") ? said : notice("bad", `Not done (${sent.status}).`, "The server says why on a page of its own; what you typed is kept."));
    for (const link of all("[data-error-for]", answerPlace)) {
      const field = form.elements.namedItem(link.dataset.errorFor ?? "");
      if (field instanceof HTMLElement && /** @type {any} */ (field).type !== "hidden") wrong(field, link.nextSibling?.textContent ?? "");
    }
    if (over) {
      const done = form.hasAttribute("data-of-composer") ? one("#composer") : form;
      emptied(done);
      if (done.dataset.draft) forget(done);
      preview();
    }
  } catch {
    answer(form, stop.signal.aborted
      ? notice("warn", "No longer waited for.", "It may still be carried out once a worker is back. Pressed again, it counts once.")
      : notice("warn", "Not sent: the server can't be reached.", "What you typed is kept. Press again; it will be carried out once."));
  } finally {
    clearTimeout(patience);
    underWay.delete(question);
    restored();
    delete form.dataset.busy;
  }
}
document.addEventListener("submit", (event) => {
  const form = /** @type {any} */ (event.target);
  if (!answerPlace || !room) return;
  if (!form.dataset.command) {
    // It leads to another page, which may take its time.
    if (form.method === "post") pressed(event.submitter);
    return;
  }
  event.preventDefault();
  send(form, event.submitter);
});

// ---- The composer's preview: what the public will read ----------------------------------------------------------
const composer = one("#composer");
let previewed = 0;
let drawn = "";
function preview() {
  if (!composer) return;
  const outside = composer.elements.audience.value === "external";
  one("#preview").hidden = !outside;
  composer.elements.seen.value = outside ? "yes" : "";
  one('[data-for="internal"]').hidden = outside;
  one('[data-for="external"]').hidden = !outside;
  const now = `${composer.elements.status.value} ${composer.elements.text.value}`;
  if (!outside || now === drawn) return;
  clearTimeout(previewed);
  previewed = setTimeout(() => draw(now), 250);
}
/** The server draws it, with the templates of the public page itself. @param {string} now */
async function draw(now) {
  const place = one("#preview");
  const said = new URLSearchParams({ text: composer.elements.text.value, status: composer.elements.status.value });
  try {
    const sent = await fetch(`/incidents/${room}/preview`, { method: "POST", body: said, headers: { "HX-Request": "true", Accept: "text/html" }, redirect: "manual" });
    if (!sent.ok) throw new TypeError(`status ${sent.status}`);
    place.innerHTML = await sent.text();
    drawn = now;
  } catch {
    place.textContent = "The preview can't be made now. What you typed is kept.";
  }
}
composer?.addEventListener("input", preview);

// ---- Links that lead to a form of this page, filled in ----------------------------------------------------------
/** Put a form beside what led to it, and the one that stood there back to its slot. What is typed goes with it. @param {any} place */
function bring(place) {
  const bench = one("#bench");
  for (const there of /** @type {any[]} */ (all("details.verb", bench))) {
    if (there === place) return;
    there.open = false;
    one(`[data-slot="${there.id.slice(3)}"]`).append(there);
  }
  bench.append(place);
}
/** @param {string} verb @param {URLSearchParams} [values] */
function lead(verb, values) {
  const place = one(`#do-${verb}`);
  if (!place) return false;
  if (place.tagName === "DETAILS") { bring(place); place.open = true; }
  const form = one("form", place);
  for (const [name, value] of values ?? []) { const field = /** @type {any} */ (form.elements.namedItem(name)); if (field && name !== "do") field.value = value; }
  if (form === composer) preview();
  const fields = /** @type {any[]} */ ([...form.elements]).filter((each) => each.matches("input, select, textarea, button") && each.type !== "hidden" && each.type !== "radio");
  const first = fields.find((each) => each.tagName !== "BUTTON" && !each.value) ?? fields.at(-1);
  place.scrollIntoView({ block: "nearest" });
  first.focus();
  return true;
}
/** @type {HTMLElement | null} where the person came from, for Esc */
let opener = null;
document.addEventListener("click", (event) => {
  const link = /** @type {any} */ (event.target).closest?.("a[data-do], a[data-show]");
  if (!link || event.ctrlKey || event.metaKey) return;
  if (link.dataset.show) {
    timeline.dataset.shows = link.dataset.show;
    for (const each of all("[data-show]")) each === link ? each.setAttribute("aria-current", "true") : each.removeAttribute("aria-current");
    event.preventDefault();
  } else if (lead(link.dataset.do, new URL(link.href).searchParams)) {
    opener = link;
    event.preventDefault();
  }
});

// ---- Keys: they lead to a thing, they never do it ---------------------------------------------------------------
const KEYS_HELP = [["c", "Declare an incident"], ["g h", "Go to the open incidents"], ["j k", "Down and up in a list, Enter opens"], ["a u m r n", "In a room: acknowledge, update, mitigate, resolve, note"], [".", "Everything that can be done"], ["Ctrl K", "Jump to an incident or action"], ["Esc", "Back to where you were"], ["?", "This help"]];
const keysOn = () => body.dataset.keys !== "off";

/** @param {string} heading @param {Node[]} content */
function dialog(heading, ...content) {
  const made = document.createElement("dialog");
  made.setAttribute("aria-label", heading);
  made.append(...content);
  made.addEventListener("close", () => made.remove());
  body.append(made);
  made.showModal();
  return made;
}
function help() {
  const rows = KEYS_HELP.map(([key, what]) => { const item = document.createElement("li"); item.append(Object.assign(document.createElement("kbd"), { textContent: key }), ` ${what}`); return item; });
  const keys = document.createElement("ul");
  keys.append(...rows);
  const off = Object.assign(document.createElement("button"), { textContent: keysOn() ? "Turn single keys off" : "Turn single keys on" });
  const box = dialog("Keys", Object.assign(document.createElement("h2"), { textContent: "Keys" }), keys, off);
  off.addEventListener("click", () => { prefer("keys", keysOn() ? "off" : "on"); body.dataset.keys = keysOn() ? "off" : "on"; box.close(); });
}
function jump() {
  const field = Object.assign(document.createElement("input"), { type: "search", placeholder: "Incident or action", autocomplete: "off" });
  field.setAttribute("aria-label", "Jump to an incident or action");
  const found = document.createElement("ul");
  found.className = "jump-list";
  const box = dialog("Jump", field, found);
  const here = all("details.verb > summary, #do-post_update h2").map((each) => ({ label: each.firstChild?.textContent?.trim() ?? "", href: `#${each.parentElement?.id}` }));
  /** @type {any[]} */
  let there = [];
  const show = () => {
    const wanted = field.value.toLowerCase().split(/\s+/);
    const fits = [...here, ...there].filter((each) => wanted.every((word) => each.label.toLowerCase().includes(word))).slice(0, 8);
    found.replaceChildren(...fits.map((each) => { const item = document.createElement("li"); item.append(Object.assign(document.createElement("a"), { href: each.href, textContent: each.label })); return item; }));
  };
  const go = (/** @type {any} */ link, /** @type {Event} */ event) => {
    const verb = link?.getAttribute("href").match(/^#do-(\w+)$/)?.[1];
    if (verb) { event.preventDefault(); box.close(); opener = /** @type {any} */ (document.activeElement); lead(verb); } else if (link && event.type !== "click") link.click();
  };
  field.addEventListener("input", show);
  box.addEventListener("click", (event) => go(/** @type {any} */ (event.target).closest("a"), event));
  box.addEventListener("keydown", (event) => {
    const links = all("a", found);
    const at = links.indexOf(/** @type {any} */ (document.activeElement));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); (links[at + (event.key === "ArrowDown" ? 1 : -1)] ?? field).focus(); }
    if (event.key === "Enter" && at < 0) { event.preventDefault(); go(links[0], event); }
  });
  show();
  // What stands on this page is there at once; nobody who types fast waits for the rest.
  fetch("/jump").then((answer) => answer.json()).then((answer) => { there = answer.jump; if (!found.contains(document.activeElement)) show(); }).catch(() => write(box.appendChild(document.createElement("p")), "The other incidents can't be listed now."));
}
let before = "";
document.addEventListener("keydown", (event) => {
  const typing = /** @type {any} */ (event.target).closest?.("input, textarea, select, [contenteditable], dialog");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); if (!one("dialog[open]")) jump(); return; }
  if (event.key === "Escape" && opener?.isConnected && !one("dialog[open]")) { opener.focus(); opener = null; return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
  const typed = before === "g" ? `g ${event.key}` : event.key;
  before = event.key;
  const target = one(`[data-key="${CSS.escape(typed)}"]`);
  if (typed === "?") help();
  else if (typed === "g h") location.href = "/";
  else if (typed === "." && room) one("#more summary").focus();
  else if (typed === "j" || typed === "k") {
    const rows = all("[data-row]");
    rows[Math.max(0, rows.indexOf(/** @type {any} */ (document.activeElement)) + (typed === "j" ? 1 : -1))]?.focus();
  } else if (target?.tagName === "DETAILS") { opener = /** @type {any} */ (document.activeElement); lead(target.id.slice(3)); }
  else if (typed === "u" && composer) { opener = /** @type {any} */ (document.activeElement); lead("post_update"); }
  else if (target) {
    const here = /** @type {any} */ (document.activeElement);
    target.click();
    if (opener === target && here !== body) opener = here;
  } else return;
  event.preventDefault();
});

// ---- Preferences ------------------------------------------------------------------------------------------------
const prefer = (/** @type {string} */ name, /** @type {string} */ value) => fetch("/preferences", { method: "POST", body: new URLSearchParams({ [name]: value }), redirect: "manual" });
for (const toggle of all("[data-theme-toggle]")) toggle.addEventListener("click", (/** @type {Event} */ event) => {
  event.preventDefault();
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  prefer("theme", root.dataset.theme);
});

// ---- The menu: it opens without us; elsewhere and Esc close it --------------------------------------------------
const menu = one("[data-menu]");
document.addEventListener("click", (event) => { if (menu?.open && !menu.contains(/** @type {any} */ (event.target))) menu.open = false; });
menu?.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== "Escape" || !menu.open) return;
  menu.open = false;
  one("summary", menu).focus();
  event.stopPropagation();
});

/** Whoever hears the page is told of a new phase, once. */
const phaseNow = () => one('#r-head [aria-current="step"]')?.lastChild?.textContent.trim() ?? "";
let phase = phaseNow();
function tellPhase() {
  const now = phaseNow();
  if (now === phase) return;
  phase = now;
  write(one("#announce"), `The incident is now in ${now.toLowerCase()}`);
}

/** After the page has changed. */
function changed() {
  if (room) title = `${one("#r-head .sev").textContent.trim().replace("SEV ?", "?")} ${one("#r-head h1").textContent} · ${room}`;
  tick();
  localTimes();
  followPhase();
  tellPhase();
}
changed();
preview();
setInterval(tick, 500);
if (one("#answer:not(:empty)") && !location.hash.startsWith("#item-")) one("#answer").focus();
