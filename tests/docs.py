"""The pages that are made from the code: `python -m tests.docs --write` makes them, `--check` finds what is stale.

It also checks that every setting, verb, refusal code and port is spoken of, and that every link between pages leads somewhere.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from incident.checklists import CHECKLISTS
from incident.commands import COMMANDS, ENVELOPE
from incident.effects import Port
from incident.mitigation_options import APPLIES, label
from incident.policy import SEVERITY_MATRIX, SeverityRule
from incident.refusals import CODES, RATIONALIZATIONS
from runtime.settings import Settings
from runtime.vendor_group import FILE
from runtime.vendors import MONITORING, MONITORING_PERMISSIONS, VENDORS

ROOT = Path(__file__).parents[1]


def _said(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " → ".join(map(str, value))
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        for size, unit in ((604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m")):
            if seconds and seconds % size == 0:
                return f"{seconds // size}{unit}"
        return f"{seconds}s"
    return str(value).replace("_", " ")


def _table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def policy_page() -> str:
    """`docs/policy.md`: the process as the code has it."""
    lines = ["# The process, as shipped", "", "Made from the code (`make format`); a test holds the two together.", ""]
    lines += ["## Severity matrix", ""]
    names = list(SeverityRule.model_fields)
    rows = [[f"`{name}`", *(_said(getattr(rule, name)) for rule in SEVERITY_MATRIX.values())] for name in names]
    lines += _table(["", *(severity.value for severity in SEVERITY_MATRIX)], rows)
    lines += [
        "An organisation lays its own rows over these with a TOML file (`TOCSIN_POLICY`, checked by `tocsin policy check`):",
        "",
        "```toml",
        "[SEV1]",
        'acknowledge_within = "10m"',
        'escalation_chain = ["primary on-call", "CTO"]',
        "```",
        "",
        "An incident keeps the policy that it was opened with.",
        "",
        "## Checklists",
        "",
    ]
    for phase, items in CHECKLISTS.items():
        if items:
            lines += [f"### {phase.number}. {phase.label}", "", *(f"- `{item.item}`: {item.text}" for item in items), ""]
    lines += ["## Mitigation options, in order of preference", ""]
    lines += [f"{number}. {label(option)}: {condition}" for number, (option, condition) in enumerate(APPLIES.items(), start=1)]
    lines += ["", "## Commands", ""]
    rows = [[f"`{verb}`", (model.__doc__ or "").strip().splitlines()[0], ", ".join(_fields(verb))] for verb, model in COMMANDS.items()]
    lines += _table(["command", "what it does", "fields besides `by` and `key`"], rows)
    lines += ["## Refusals", ""]
    lines += _table(["code", "what it says", "the way forward"], [[f"`{code}`", *texts] for code, texts in CODES.items()])
    lines += ["## What people say, and the answer", ""]
    lines += _table(["said", "answer", "required"], [[row.said, row.answer, row.required_action] for row in RATIONALIZATIONS])
    return "\n".join(lines).rstrip() + "\n"


def _fields(verb: str) -> list[str]:
    fields = COMMANDS[verb].model_fields
    names = [(field.alias or name, field.is_required()) for name, field in fields.items() if name not in ENVELOPE]
    return [f"`{name}`" if required else f"`{name}?`" for name, required in names]


def settings_table() -> str:
    """The settings of `docs/operating.md`."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "the login name" if name == "user" else _default(field.get_default(call_default_factory=True))
        rows.append([f"`TOCSIN_{name.upper()}`", default, field.description or ""])
    return "\n".join(_table(["variable", "default", "what it is"], rows)).rstrip()


def vendors_page() -> str:
    """The settings and permissions of `docs/integrations.md`, a table a vendor."""
    lines: list[str] = []
    for group in VENDORS:
        port, value = group.chosen
        lines += [f"### {(group.__doc__ or '').strip().rstrip('.')} (`TOCSIN_{port.upper()}={value}`)", ""]
        rows = []
        for name, field in group.model_fields.items():
            default = "**needed**" if field.is_required() else _default(field.get_default(call_default_factory=True) or None)
            secret = f" Secret; or its file, in `{group.variable(name)}{FILE}`." if group.is_secret(name) else ""
            rows.append([f"`{group.variable(name)}`", default, f"{field.description or ''}{'.' if secret else ''}{secret}"])
        lines += _table(["variable", "default", "what it is"], rows)
        lines += _table(["to", "the credentials need"], [list(row) for row in group.permissions])
    lines += ["### Prometheus and Alertmanager (`TOCSIN_PROMETHEUS_URL`)", ""]
    described = Settings.model_fields
    rows = [[f"`TOCSIN_{name.upper()}`", _default(described[name].default), described[name].description or ""] for name in MONITORING]
    lines += _table(["variable", "default", "what it is"], rows)
    lines += _table(["to", "the credentials need"], [list(row) for row in MONITORING_PERMISSIONS])
    return "\n".join(lines).rstrip()


def _default(value: object) -> str:
    return "-" if value is None or value == () or value == {} else f"`{value}`"


BEGIN, END = "<!-- settings: made from the code -->", "<!-- end of settings -->"


def _with_generated(page: Path, made: str) -> str:
    """The page with what is made from the code between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def pages() -> dict[Path, str]:
    """Each generated page with what it must hold."""
    operating, integrations = ROOT / "docs" / "operating.md", ROOT / "docs" / "integrations.md"
    return {
        ROOT / "docs" / "policy.md": policy_page(),
        operating: _with_generated(operating, settings_table()),
        integrations: _with_generated(integrations, vendors_page()),
    }


def problems() -> Iterator[str]:
    """One sentence for everything that is stale, missing or leads nowhere."""
    for path, wanted in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != wanted:
            yield f"{path.relative_to(ROOT)} is stale: run make format"
    written = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    everything = "\n".join(path.read_text(encoding="utf-8") for path in written)
    for port in Port:
        if port.value not in everything.casefold():
            yield f"no page speaks of the port {port.value}"
    for path in written:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8")):
            if not (path.parent / target).exists():
                yield f"{path.relative_to(ROOT)} links to {target}, which is not there"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in re.findall(r"^\$ tocsin ([a-z-]+)", readme, re.MULTILINE):
        if verb not in _verbs():
            yield f"README.md shows `tocsin {verb}`, which is no verb"


def _verbs() -> set[str]:
    from starter.cli import catalogue

    return set(catalogue.names())


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        for path, text in pages().items():
            path.write_text(text, encoding="utf-8")
        return 0
    found = list(problems())
    for problem in found:
        sys.stderr.write(f"docs: {problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
