// The record's pages: saves a post-mortem while it is written, and never over somebody else's text. Works without: forms do.
"use strict";
document.documentElement.classList.add("scripted");

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
document.querySelector("[data-focus]")?.focus();

const form = document.querySelector("[data-postmortem]");
if (form) {
  const IDLE = 2000;
  const AGAIN = 5000;
  const incident = form.dataset.postmortem;
  const saved = form.querySelector("[data-saved]");
  const boxes = [...form.querySelectorAll("textarea[data-section]")];
  const clock = (at) => at.slice(11, 19) + " UTC";
  // By the person too: whoever signs in at this browser next gets nothing of it.
  const kept = (box) => `tocsin:${document.body.dataset.who}:${incident}:${box.dataset.section}`;
  let last = boxes[0];

  class Section {
    constructor(box) {
      this.box = box;
      this.card = box.closest("section");
      this.base = this.card.querySelector("[data-base]");
      this.filing = this.card.querySelector("[data-filing]");
      this.mark = this.card.querySelector("[data-seen]");
      this.state = this.card.querySelector("[data-state]");
      this.conflict = this.card.querySelector("[data-conflict]");
      this.sent = this.mark.value === "unsaved" ? null : box.value;
      this.timer = 0;
      this.flight = null;
      box.addEventListener("input", () => this.changed());
      box.addEventListener("focus", () => { last = box; });
      box.addEventListener("blur", () => { if (this.dirty && !this.torn) this.save(); });
      this.conflict.querySelector("[data-keep-mine]").addEventListener("click", (event) => { event.preventDefault(); this.settle(); });
      this.conflict.querySelector("[data-take-theirs]").addEventListener("click", (event) => {
        event.preventDefault();
        this.box.value = this.theirs.value;
        this.settle();
      });
      this.conflict.querySelector("[data-merge]").addEventListener("click", () => {
        this.box.value = `${this.box.value.trimEnd()}\n\n${this.theirs.value}`;
        this.settle();
      });
      this.restore();
    }

    get overBase() { return this.conflict.querySelector("[data-theirs-base]"); }
    get overFiling() { return this.conflict.querySelector("[data-theirs-filing]"); }
    get theirs() { return this.conflict.querySelector("[data-theirs]"); }
    get torn() { return !this.conflict.hidden; }
    get dirty() { return this.box.value !== this.sent; }

    // What could not be sent before the page was left comes back into the box, never over what others saved since.
    restore() {
      let left = null;
      try { left = JSON.parse(localStorage.getItem(kept(this.box))); } catch { return; }
      if (!left || left.text.trim() === this.box.value.trim()) { this.forget(); return; }
      if (this.torn) return; // the server has shown both texts, and mine is in the box
      const here = this.box.value;
      const now = { version: this.base.value, filing: this.filing.value };
      this.box.value = left.text;
      if (left.base !== now.version || (left.filing ?? now.filing) !== now.filing) {
        this.base.value = left.base;
        this.filing.value = left.filing ?? now.filing;
        this.tear({ ...now, text: here, by: "saved since", at: "" });
        return;
      }
      this.changed();
      this.say("brought back: it was not saved when this page was left");
    }

    keep() {
      try { localStorage.setItem(kept(this.box), JSON.stringify({ text: this.box.value, base: this.base.value, filing: this.filing.value })); } catch { /* the box still has it */ }
    }

    forget() { try { localStorage.removeItem(kept(this.box)); } catch { /* nothing was kept */ } }
    say(text) { this.state.textContent = text; }

    changed() {
      clearTimeout(this.timer);
      this.keep();
      if (this.torn) return;
      this.say("not saved yet");
      this.timer = setTimeout(() => this.save(), IDLE);
    }

    // Only here does one text go over the other: whoever writes has both before them, and has chosen.
    settle() {
      this.conflict.hidden = true;
      this.base.value = this.overBase.value;
      this.filing.value = this.overFiling.value;
      this.save();
      this.box.focus();
    }

    save() {
      clearTimeout(this.timer);
      if (this.flight) { this.again = true; return this.flight; }
      this.flight = this.put().finally(() => {
        this.flight = null;
        if (this.again && this.dirty && !this.torn) { this.again = false; this.save(); }
        this.again = false;
      });
      return this.flight;
    }

    async put() {
      const text = this.box.value;
      this.say("saving …");
      let answer;
      let said;
      try {
        answer = await fetch(`/api/v1/incidents/${incident}/postmortem/draft/${this.box.dataset.section}`, {
          method: "PUT",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ text, base: Number(this.base.value), filing: Number(this.filing.value) }),
        });
        said = await answer.json();
      } catch {
        return this.later("not saved: no connection. It is kept here and tried again");
      }
      if (answer.ok) {
        this.base.value = said.version;
        this.filing.value = said.filing;
        this.sent = text;
        this.mark.value = "saved"; // whatever stands in the box when the form is sent is looked at again
        if (!this.dirty) this.forget();
        this.say(`saved ${clock(said.at)} by ${said.by} · version ${said.version}`);
        saved.textContent = `saved ${clock(said.at)}`;
        follow();
        return undefined;
      }
      if (answer.status === 409 && said.theirs) return this.tear(said.theirs);
      if (answer.status === 401) return this.later("not saved: you are signed out. Sign in in another tab; it is tried again");
      if (answer.status >= 500 || answer.status === 429) return this.later(`not saved: ${said.detail} It is tried again`);
      this.say(`not saved: ${said.detail}`);
      return undefined;
    }

    later(text) {
      this.say(text);
      saved.textContent = "not saved";
      this.timer = setTimeout(() => this.save(), AGAIN);
    }

    // Two texts. The version that mine was begun from stays as it is, so that no other button, filing least of all, chooses mine.
    tear(theirs) {
      this.overBase.value = theirs.version;
      this.overFiling.value = theirs.filing;
      this.mark.value = "unsaved";
      this.theirs.value = theirs.text;
      this.conflict.querySelector("[data-theirs-who]").textContent = theirs.at ? `${theirs.by}, ${clock(theirs.at)}` : theirs.by;
      this.conflict.hidden = false;
      this.say("two texts: somebody has written here since you began. Yours is in the box");
      saved.textContent = "not saved: two texts";
    }
  }

  // What is missing still, and what paper gets, follow what was saved. Nothing under the writer's eyes moves: a line that no longer
  // holds keeps its room.
  let followed = 0;
  async function follow() {
    const turn = followed += 1;
    let there;
    try {
      const answer = await fetch(`${form.getAttribute("action")}?view=write`);
      there = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (turn !== followed || !answer.ok || !there.querySelector("[data-postmortem]")) return;
    } catch { return; }
    for (const link of form.querySelectorAll(".pm-toc a")) {
      const now = there.querySelector(`.pm-toc a[href="${link.getAttribute("href")}"]`);
      if (now) { link.className = now.className; link.replaceChildren(...now.childNodes); }
    }
    for (const section of sections) {
      const card = section.card;
      const now = there.getElementById(card.id);
      const state = now?.querySelector("[data-state]");
      if (state && !section.dirty && !section.torn && !section.flight && !section.state.contains(document.activeElement)) section.state.replaceChildren(...state.childNodes);
      const line = card.querySelector("[data-missing]");
      const told = now?.querySelector("[data-missing]");
      if (!now || !line || !told) continue;
      card.classList.toggle("missing", now.classList.contains("missing"));
      if (line.childNodes.length && !told.childNodes.length) {
        line.style.minBlockSize = `${line.getBoundingClientRect().height}px`;
        line.className = "pm-written";
        line.textContent = "Nothing is missing here any more.";
      } else if (told.childNodes.length) {
        line.className = told.className;
        line.replaceChildren(...told.childNodes);
      }
    }
    document.querySelector(".print-only.document").replaceChildren(...there.querySelector(".print-only.document").childNodes);
  }

  const sections = boxes.map((box) => new Section(box));

  for (const button of form.querySelectorAll("[data-point]")) {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      const box = form.querySelector(`textarea[data-section="${form.querySelector("[data-into]").value}"]`);
      if (!box) return;
      const line = box.dataset.section === "timeline" ? button.dataset.row : button.dataset.point;
      // Below the line that one was in; at the end where one has not been in it yet.
      const caret = last === box ? box.selectionStart : 0;
      const below = caret > 0 ? box.value.indexOf("\n", caret) : -1;
      const at = below < 0 ? box.value.length : below;
      const before = box.value.slice(0, at);
      const after = box.value.slice(at);
      const lead = before === "" || before.endsWith("\n") ? "" : "\n";
      const tail = after === "" || after.startsWith("\n") ? "" : "\n";
      box.setRangeText(lead + line + tail, at, at, "end");
      box.dispatchEvent(new Event("input", { bubbles: true }));
      box.focus();
    });
  }
  // The box one writes in is the one that evidence goes into.
  const into = form.querySelector("[data-into]");
  for (const box of boxes) box.addEventListener("focus", () => { if (into) into.value = box.dataset.section; });

  // A save on its way would be met by the form's own as if somebody else had written: let it arrive first.
  let waited = false;
  let leaving = false;
  form.addEventListener("submit", (event) => {
    const flying = sections.map((section) => section.flight).filter(Boolean);
    for (const section of sections) clearTimeout(section.timer);
    if (!waited && flying.length) {
      event.preventDefault();
      const button = event.submitter;
      Promise.allSettled(flying).then(() => { waited = true; form.requestSubmit(button); });
      return;
    }
    leaving = true;
  });
  window.addEventListener("beforeunload", (event) => {
    if (!leaving && sections.some((section) => section.dirty)) event.preventDefault();
  });
}
