"""The steps of the drill: what happens, what to type, and what must be true afterwards."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2


class DrillFailed(Exception):
    """A step did not do what it must; the text says which and what was seen instead."""


class NotLetIn(DrillFailed):
    """The server does not know who plays, or they may not do what the drill does."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Drill:
    """One practice incident, its server, and the clock on the wall.

    Where people sign in, the player is whose `token` it is, and does alone what a drill has a second person do elsewhere.
    `webhook_token` is what monitoring proves itself with; without it the incident is reported, and handed its alert. `data` is the
    server's own folder; None where it runs on another machine, so that its worker is not ours to kill.
    """

    def __init__(
        self,
        *,
        url: str,
        data: Path | None,
        say: Callable[[str], None],
        pause: Callable[[], None],
        token: str | None = None,
        webhook_token: str | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self.data = data
        self.say = say
        self.pause = pause
        self.id = ""
        self.player = os.environ.get("TOCSIN_USER") or "you"
        self.signed_in = False
        self.embeds = True
        self.webhook_token = webhook_token
        self.alertname = f"DrillCheckoutErrors{uuid.uuid4().hex[:6]}"
        self.started_at = datetime.now(UTC)
        self._begun = time.monotonic()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.Client(base_url=url, timeout=20, headers=headers, transport=transport)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._begun

    def introduce(self) -> None:
        """Find out who plays, and what this server has.

        Raises:
            NotLetIn: says exactly what is missing.
        """
        answer = self._send("GET", "/api/v1/whoami")
        if answer.status_code == 401:
            told = answer.json().get("detail", "")
            how = f"Make a token with the role commander at {self.url}/login/tokens, then: export TOCSIN_TOKEN=tocsin_…"
            raise NotLetIn(f"people sign in at {self.url}, and the drill plays as one of them. {told}\n{how}", 4)
        me: dict[str, Any] = answer.json()
        if answer.status_code != 200:
            raise NotLetIn(str(me.get("detail", me)), 5)
        if me.get("signed_in"):
            self.signed_in, self.player = True, str(me["name"])
            if not ENOUGH & set(me["roles"]):
                has = ", ".join(me["roles"]) or "none"
                raise NotLetIn(
                    f"the drill tells the public, approves, resolves and closes: that takes the role {' or '.join(sorted(ENOUGH))}, "
                    f"and {self.player}'s token has {has}. Make one with it at {self.url}/login/tokens, or ask an administrator.",
                    5,
                )
        self.embeds = self._send("GET", "/api/v1/embedded/pages").status_code != 404

    def does(self, verb: str, typed: str, *, by: str | None = None, **fields: Any) -> dict[str, Any]:
        """Show the command, wait for the player, send it, and check that it was accepted."""
        answer = self.tries(verb, typed, by=by, **fields)
        self.check(bool(answer.get("accepted")), f"{verb} was refused: {json.dumps(answer.get('refusal', answer))}")
        return answer

    def tries(self, verb: str, typed: str, *, by: str | None = None, **fields: Any) -> dict[str, Any]:
        """Show the command, wait for the player, send it, and answer whatever came back."""
        self.say(f"   $ tocsin {typed}")
        self.pause()
        body = {**self._by(by), **{"as" if key == "as_" else key: value for key, value in fields.items()}}
        answer: dict[str, Any] = self._send("POST", f"/api/v1/incidents/{self.id}/{verb}", body).json()
        return answer

    def _by(self, by: str | None = None) -> dict[str, str]:
        """Who does it, as a body says it: where people sign in the server knows."""
        return {} if self.signed_in else {"by": by or self.player}

    @property
    def reports(self) -> bool:
        """Whether the drill can't speak as monitoring, and so reports the incident itself."""
        return self.signed_in and self.webhook_token is None

    @property
    def colleague(self) -> str:
        """Who owns the mitigation: where the player has to approve it, it is not theirs."""
        return "a colleague" if self.signed_in else self.player

    def reports_it(self) -> str:
        """Open the incident as a person does who has seen the alert."""
        fields = {"title": f"{self.alertname}: {SYMPTOM}", "services": ["checkout"], "drill": True}
        answer: dict[str, Any] = self._send("POST", "/api/v1/incidents", {**self._by(), **fields}).json()
        self.check("incident" in answer, f"opening the practice incident was refused: {json.dumps(answer)}")
        return str(answer["incident"])

    def posts_alert(self, status: str) -> dict[str, Any]:
        """Post what Alertmanager would post, or hand it to the incident."""
        ends = datetime.now(UTC).isoformat() if status == "resolved" else "0001-01-01T00:00:00Z"
        labels = {"alertname": self.alertname, "service": "checkout", "severity": "critical", "drill": "true"}
        alert = {
            "status": status,
            "labels": labels,
            "annotations": {"summary": SYMPTOM},
            "startsAt": self.started_at.isoformat(),
            "endsAt": ends,
            "fingerprint": uuid.uuid5(uuid.NAMESPACE_URL, self.alertname).hex[:16],
        }
        if self.reports:
            handed: dict[str, Any] = self._send("POST", f"/api/v1/incidents/{self.id}/alert", [alert]).json()
            return handed
        body = {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{self.alertname}"}}',
            "receiver": "drill",
            "status": status,
            "alerts": [alert],
            "groupLabels": {"alertname": self.alertname},
            "commonLabels": labels,
            "commonAnnotations": {},
            "externalURL": "",
            "truncatedAlerts": 0,
        }
        answer: dict[str, Any] = self._send("POST", "/webhooks/alertmanager", body, bearer=self.webhook_token).json()
        return answer

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._send("GET", f"/api/v1/incidents/{self.id}").json()
        return state

    def timeline(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._send("GET", f"/api/v1/incidents/{self.id}/timeline").json()["timeline"]
        return entries

    def embedded(self, kind: str) -> list[dict[str, Any]]:
        if not self.embeds:
            return []
        answer = self._send("GET", f"/api/v1/embedded/{kind}").json()
        rows: list[dict[str, Any]] = answer[kind] if isinstance(answer, dict) else answer
        return [row for row in rows if row["incident"] == self.id]

    def clock(self, name: str) -> dict[str, Any]:
        return next((clock for clock in self.state()["clocks"] if clock["name"] == name), {})

    def get(self, path: str) -> Any:
        return self._send("GET", path).json()

    def until(self, what: str, seen: Callable[[], Any], *, within: float = 60.0) -> Any:
        """Wait until `seen` answers something, and answer that."""
        deadline = time.monotonic() + within
        while True:
            found = seen()
            if found:
                return found
            if time.monotonic() > deadline:
                raise DrillFailed(f"waited {within:.0f} s in vain for this: {what}")
            time.sleep(0.3)

    def check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise DrillFailed(otherwise)

    def kill_worker(self, data: Path) -> int:
        """`kill -9` the worker, as the run file names it; answers with its process id."""
        run: dict[str, Any] = json.loads((data / "run.json").read_text())
        pid = int(run["pids"]["worker"])
        self.say(f"   $ kill -9 {pid}")
        self.pause()
        os.kill(pid, signal.SIGKILL)
        return pid

    def worker_pid(self, data: Path) -> int | None:
        try:
            run: dict[str, Any] = json.loads((data / "run.json").read_text())
            return int(run["pids"]["worker"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _send(self, method: str, path: str, body: Any = None, *, bearer: str | None = None) -> httpx2.Response:
        """One request, repeated under the same key while the server is away for a moment."""
        keyed = method == "POST" and "/incidents" in path and not path.endswith("/alert")
        headers = {"Idempotency-Key": uuid.uuid4().hex} if keyed else {}
        headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
        for attempt in range(20):
            try:
                response = self._http.request(method, path, json=body, headers=headers)
            except httpx2.HTTPError:
                if attempt == 19:
                    raise DrillFailed(f"{self.url} does not answer") from None
            else:
                if response.status_code < 500:
                    return response
            time.sleep(0.5)
        raise DrillFailed(f"{method} {path} fails: {response.status_code} {response.text[:300]}")


ENOUGH = {"commander", "admin"}
"""The access roles of which one is enough for everything in a drill."""

SYMPTOM = "Checkout answers 18% of requests with errors"


def _reported(drill: Drill) -> None:
    drill.say("   Alerts are taken here from who proves to be monitoring (TOCSIN_WEBHOOK_TOKEN), which the drill does not have:")
    drill.say("   so you report what the alert says, and hand it to the incident.")
    drill.say(f"   $ tocsin report '{drill.alertname}: …' --service checkout --drill")
    drill.pause()
    drill.id = drill.reports_it()
    drill.say(f"   {drill.id} is open, in detection. Watch it in a second terminal: tocsin watch {drill.id}")
    drill.posts_alert("firing")
    drill.until("the alert in the incident", lambda: any(alert["firing"] for alert in drill.state()["alerts"]))
    alerts = len(drill.state()["alerts"])
    drill.posts_alert("firing")
    drill.say("   The same alert is handed over again: it changes nothing.")
    drill.check(len(drill.state()["alerts"]) == alerts, "the repeated alert stands there twice")


def _alert(drill: Drill) -> None:
    if drill.reports:
        _reported(drill)
        return
    drill.say("   Monitoring posts a critical alert for checkout to the webhook.")
    drill.say(f"   $ curl -H 'Content-Type: application/json' -d @alert.json {drill.url}/webhooks/alertmanager")
    drill.pause()
    drill.posts_alert("firing")

    def opened() -> str | None:
        rows: list[dict[str, Any]] = drill.get("/api/v1/incidents?drill=true&open=true")["incidents"]
        found = next((row["incident"] for row in rows if drill.alertname in row["title"]), None)
        return str(found) if found else None

    drill.id = str(drill.until("an incident for the alert", opened))
    drill.say(f"   {drill.id} is open, in detection. Watch it in a second terminal: tocsin watch {drill.id}")
    drill.posts_alert("firing")
    drill.say("   The same alert is posted again: it changes nothing.")
    rows = drill.get("/api/v1/incidents?drill=true&open=true")["incidents"]
    drill.check(sum(drill.alertname in row["title"] for row in rows) == 1, "the repeated alert opened a second incident")


def _nobody_answers(drill: Drill) -> None:
    drill.say("   Nobody acknowledges. The primary on-call was paged; after 5 minutes (here: 5 s) the next rung is too.")

    def escalated() -> list[dict[str, Any]]:
        return [entry for entry in drill.timeline() if entry["kind"] == "paged" and "engineering lead" in entry["text"]]

    drill.until("a page to the engineering lead", escalated)
    for page in drill.embedded("pages"):
        drill.say(f"   pager: {page['to']}: {page['text'].splitlines()[0]}")
        drill.check(page["text"].startswith("[DRILL]"), "a page of the drill is not marked as one")


def _acknowledge(drill: Drill) -> None:
    drill.does("acknowledge", f"ack {drill.id}")
    drill.check(drill.clock("acknowledge")["state"] == "met", "the acknowledgement clock still runs")
    pages = len(drill.embedded("pages"))
    time.sleep(6)
    drill.check(len(drill.embedded("pages")) == pages, "somebody was paged after the acknowledgement")
    drill.say("   The acknowledgement clock is met, and the paging has stopped.")


def _declare(drill: Drill) -> None:
    typed = f"declare {drill.id} --sev 1 --customer-facing --summary 'Customers can not pay'"
    drill.does("declare", typed, severity="SEV1", customer_facing=True, summary="Customers can not pay")
    drill.does("describe", f"describe {drill.id} --symptom '5xx on /pay'", symptom="5xx on /pay since the last deployment")
    channel = drill.until("the incident's channel", lambda: drill.state()["channel"])
    commander = drill.until("a commander", lambda: drill.state()["roles"]["commander"])
    drill.say(f"   Channel {channel} is open, {commander} is commander, and these clocks run:")
    for clock in drill.state()["clocks"]:
        if clock["state"] == "running":
            drill.say(f"     {clock['name']:<18} due {clock['due']}")


def _updates(drill: Drill) -> None:
    told = "Some card payments fail. We are working on it and will tell you more soon."
    drill.does("post_update", f'update {drill.id} --external -m "{told}"', audience="external", text=told, status="investigating")
    drill.does("post_update", f'update {drill.id} --internal -m "Looking at v248"', audience="internal", text="Looking at v248")
    if drill.embeds:
        drill.until("the status page's entry", lambda: drill.embedded("status"))
    drill.check(drill.clock("status_page")["state"] == "met", "the first status-page post did not satisfy its clock")
    drill.say("   Both cadences count anew from now; the page is a drill's, so the public one shows nothing of it.")


def _triage(drill: Drill) -> None:
    answer = drill.tries("advance", f"advance {drill.id}")
    if not answer["accepted"]:
        drill.say(f"   Refused: {answer['refusal']['message']}")
        reason = "commander is on the way; service first"
        drill.does("advance", f"advance {drill.id} --reason '{reason}'", reason=reason)
    drill.does("hypothesize", f'hypothesize {drill.id} --text "v248 broke the retry"', text="v248 broke the retry of card payments")


def _mitigate(drill: Drill) -> None:
    typed = f"mitigate {drill.id} --option rollback --owner {shlex.quote(drill.colleague)} --rationale … --action … …"
    drill.does(
        "mitigate",
        typed,
        option="rollback",
        rationale="the deployment of v248 began the errors",
        owner=drill.colleague,
        action="Roll back to v247",
        verification=["error rate under 1 %"],
        rollback_plan="Deploy v248 again",
    )
    drill.does("finish_mitigation", f"finish-mitigation {drill.id} --succeeded", succeeded=True)
    drill.say("   A SEV1 needs no formal approval before; it owes the documentation afterwards.")


def _refused(drill: Drill) -> None:
    drill.posts_alert("resolved")
    drill.until("the alert resolved in the incident", lambda: not any(alert["firing"] for alert in drill.state()["alerts"]))
    for criterion in ("symptom_resolved", "metrics_at_baseline", "alerts_cleared"):
        drill.does(
            "confirm", f"confirm {drill.id} --criterion {criterion}", criterion=criterion, evidence="error ratio 0.2 % for five minutes"
        )
    answer = drill.tries("resolve", f"resolve {drill.id} --root-cause … --fix-applied …", root_cause="v248", fix_applied="rolled back")
    drill.check(not answer.get("accepted"), "resolving before the verification period was over was accepted")
    refusal = answer["refusal"]
    drill.check(refusal["code"] == "verification-incomplete", f"refused with {refusal['code']}, not verification-incomplete")
    drill.say(f"   Refused: {refusal['message']}")
    for blocker in refusal["blockers"]:
        drill.say(f"     {blocker['message']}" + (f" (until {blocker['until']})" if blocker.get("until") else ""))


def _red_again(drill: Drill) -> None:
    before = drill.state()["verification"]["since"]
    drill.started_at = datetime.now(UTC) + timedelta(milliseconds=1)
    drill.say("   The alert fires again in the middle of the verification.")
    drill.posts_alert("firing")
    drill.until("the verification period to be void", lambda: drill.state()["verification"]["since"] is None)
    drill.posts_alert("resolved")
    drill.until("the alert resolved again", lambda: not any(alert["firing"] for alert in drill.state()["alerts"]))
    drill.does("confirm", f"confirm {drill.id} --criterion alerts_cleared", criterion="alerts_cleared", evidence="quiet again")
    after = drill.state()["verification"]["since"]
    drill.check(after is not None and after != before, "the verification period did not start again")
    drill.say("   It cleared; the whole verification period counts from now.")


def _kill(drill: Drill) -> None:
    data = drill.data
    if data is None:
        drill.say("   This server runs on another machine, so its worker is not ours to kill. To see it, kill one there (kill -9):")
        drill.say("   the clocks go on, another worker carries on, and nothing is lost or told twice. The step is passed over.")
        drill.pause()
        return
    entries = drill.timeline()
    pages = sorted(row["key"] for kind in ("chat", "pages", "status") for row in drill.embedded(kind))
    pid = drill.kill_worker(data)
    drill.say("   The worker is dead. The clocks are not its: they are Temporal's, and they go on.")
    drill.until("a new worker", lambda: drill.worker_pid(data) not in (None, pid))
    drill.does("note", f'note {drill.id} --text "worker killed and back"', text="worker killed and back")
    again = drill.timeline()
    drill.check(again[: len(entries)] == entries, "the timeline lost or changed entries")
    keys = [row["key"] for kind in ("chat", "pages", "status") for row in drill.embedded(kind)]
    drill.check(len(keys) == len(set(keys)) and set(pages) <= set(keys), "something was told twice, or was lost")
    drill.say(f"   Back, with all {len(entries)} entries and nothing told twice.")


def _resolve(drill: Drill) -> None:
    drill.say(f"   $ tocsin wait {drill.id} --for verified")
    drill.until("the verification period to pass", lambda: drill.state()["verification"]["passed_at"], within=90)
    typed = f"resolve {drill.id} --root-cause 'v248 retried without a limit' --fix-applied 'rolled back to v247'"
    drill.does("resolve", typed, root_cause="v248 retried failed card payments without a limit", fix_applied="Rolled back to v247")
    drill.check(drill.state()["phase"] == "post_incident", "the resolved incident is not in post-incident")
    drill.say(f"   Resolved. The post-mortem is due {drill.clock('postmortem')['due']}.")


def _close(drill: Drill) -> None:
    answer = drill.tries("close", f"close {drill.id}")
    drill.check(not answer.get("accepted"), "closing without a post-mortem was accepted")
    drill.say(f"   Refused: {answer['refusal']['message']}")
    due = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    typed = f"action add {drill.id} --item 'Limit retries' --owner {shlex.quote(drill.player)} --due {due}"
    drill.does("add_action_item", typed, item="Limit the retries of card payments", owner=drill.player, due=due)
    drill.does("complete_action_item", f"action done {drill.id} AI-1", id="AI-1")
    draft: str = drill.get(f"/api/v1/incidents/{drill.id}/postmortem")["document"]
    drill.check(drill.id in draft and "| Time (UTC) | Event |" in draft, "the draft is not filled from the timeline")
    document = _completed(draft)
    drill.does("file_postmortem", f"pm file {drill.id} postmortem.md", document=document)
    drill.does("approve", f"approve {drill.id} --note 'rollback of a deployment, reviewed'", by="reviewer", note="rollback, reviewed")
    for item in drill.state()["checklist"]:
        if item["state"] == "open":
            drill.does("check", f"check {drill.id} --item {item['item']}", item=item["item"], note="done in the drill")
    drill.does("close", f"close {drill.id}")
    if drill.data is not None:
        file = drill.data / "archive" / drill.id / "postmortem.md"
        drill.until("the post-mortem on disk", file.exists)
        drill.check(file.read_text().strip() == document.strip(), "the post-mortem on disk is not the one that was filed")
        drill.say(f"   Closed. The post-mortem: {file}")
    else:
        filed = drill.get(f"/api/v1/incidents/{drill.id}/postmortem")["document"]
        drill.check(str(filed).strip() == document.strip(), "the post-mortem on record is not the one that was filed")
        drill.say(f"   Closed. The post-mortem: {drill.url}/incidents/{drill.id}/postmortem")
    rows = drill.get("/api/v1/incidents?drill=false")["incidents"]
    drill.check(all(row["incident"] != drill.id for row in rows), "the drill stands among the real incidents")


LEARNED = {
    "impact": "none",
    "what-went-well": "The page found somebody within two minutes.",
    "what-could-be-improved": "The release went out to everybody at once.",
    "otherwise": "The retry of v248 had no limit; see the timeline.",
}
"""What the player writes where the record says nothing."""


def _completed(draft: str) -> str:
    """The draft with its placeholders written out, as a person would; of a list, the first point is enough."""
    lines: list[str] = []
    section, written = "", False
    for line in draft.splitlines():
        if line.startswith("## "):
            section, written = line.removeprefix("## ").lower().replace(" ", "-"), False
        placeholder = _PLACEHOLDER.search(line)
        if placeholder is None:
            lines.append(line)
        elif section == "impact" or not written:
            written = True
            lines.append(line.replace(placeholder.group(), LEARNED.get(section, LEARNED["otherwise"])))
    return "\n".join(lines) + "\n"


_PLACEHOLDER = re.compile(r"\[[^\[\]]+\]$")

STEPS: tuple[tuple[str, Callable[[Drill], None]], ...] = (
    ("an alert fires", _alert),
    ("nobody answers, so it escalates", _nobody_answers),
    ("acknowledge", _acknowledge),
    ("declare it, SEV1", _declare),
    ("tell the team and the public", _updates),
    ("triage", _triage),
    ("mitigate", _mitigate),
    ("resolve too early, and be refused", _refused),
    ("a red alert starts verification again", _red_again),
    ("kill the worker", _kill),
    ("resolve", _resolve),
    ("post-mortem and closing", _close),
)
