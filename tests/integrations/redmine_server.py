"""A real Redmine, of Debian's package, made and served for the tests: `make test-redmine`.

    BUNDLER_VERSION=2.3.15 DEBIAN_FRONTEND=noninteractive apt-get install --no-install-recommends \\
        redmine redmine-sqlite puma dbconfig-no-thanks

Its instance lies under /etc/redmine and /var/lib/redmine, where the package looks for it, so that this needs root.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from integrations.ticketing.redmine import RedmineTracker

HOME = Path("/usr/share/redmine")
INSTANCE = "tocsintest"

SEED = """
Setting.rest_api_enabled = '1'
admin = User.find_by_login('admin')
admin.must_change_passwd = false
admin.password = admin.password_confirmation = 'correct-horse'
admin.save!
project = Project.create!(name: 'Operations', identifier: 'ops', is_public: true)
project.trackers = Tracker.all
project.enabled_module_names = ['issue_tracking']
project.save!
common = {field_format: 'string', is_for_all: true, trackers: Tracker.all}
field = IssueCustomField.create!(name: 'External key', is_filter: true, **common)
unfiltered = IssueCustomField.create!(name: 'Not a filter', is_filter: false, **common)
File.write(ENV.fetch('SEEDED'), {key: admin.api_key, field: field.id, unfiltered: unfiltered.id}.to_json)
"""


@dataclass(frozen=True)
class Redmine:
    url: str
    key: str
    field: int
    unfiltered: int

    def adapter(self, **options: Any) -> RedmineTracker:
        known: dict[str, Any] = {"key": SecretStr(self.key), "project": "ops", "key_field": self.field}
        return RedmineTracker(self.url, **(known | options))


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Redmine]:
    """Make an instance with a project and our custom field, and serve it; about half a minute."""
    places = (Path("/etc/redmine") / INSTANCE, Path("/var/lib/redmine") / INSTANCE)
    _forget(places)
    _lay_out(folder, *places)
    environment = {
        **os.environ,
        "REDMINE_INSTANCE": INSTANCE,
        "RAILS_ENV": "production",
        # Debian's patched bundler; a newer one that a gem has brought does not find the packages.
        "BUNDLER_VERSION": "2.3.15",
        "SCHEMA": "/dev/null",
        "REDMINE_LANG": "en",
        "LANG": "C.UTF-8",
        "SEEDED": str(folder / "seeded.json"),
    }
    try:
        await _run(environment, "bundle", "exec", "rake", "db:migrate")
        await _run(environment, "bundle", "exec", "rake", "redmine:load_default_data")
        (folder / "seed.rb").write_text(SEED)
        await _run(environment, "bundle", "exec", "rails", "runner", str(folder / "seed.rb"))
        seeded = json.loads((folder / "seeded.json").read_text())
        async with _serving(environment) as url:
            yield Redmine(url, **seeded)
    finally:
        _forget(places)


def _lay_out(folder: Path, configuration: Path, variable: Path) -> None:
    configuration.mkdir(parents=True)
    for name in ("log", "config", "public/plugin_assets", "files", "tmp"):
        (variable / name).mkdir(parents=True)
    (configuration / "database.yml").write_text(f"production:\n  adapter: sqlite3\n  database: {folder}/db.sqlite3\n")
    (configuration / "secret_key.txt").write_text("0" * 64)
    for name in ("database.yml", "secret_key.txt"):
        (variable / "config" / name).symlink_to(configuration / name)


def _forget(places: tuple[Path, ...]) -> None:
    for place in places:
        shutil.rmtree(place, ignore_errors=True)


async def _run(environment: dict[str, str], *command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=HOME, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}: {output.decode(errors='replace')[-2000:]}"


@asynccontextmanager
async def _serving(environment: dict[str, str]) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ("-b", f"tcp://127.0.0.1:{port}", "-t", "1:5", "-w", "0", "-e", "production", "config.ru")
    process = await asyncio.create_subprocess_exec(
        "puma", *arguments, cwd=HOME, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(120), httpx2.AsyncClient(trust_env=False) as client:
            while not await _answers(client, url):
                assert process.returncode is None, "puma has ended"
                await asyncio.sleep(0.2)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/issues.json", timeout=30)).status_code < 500
    except httpx2.HTTPError:
        return False
