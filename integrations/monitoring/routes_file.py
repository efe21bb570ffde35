"""The routing rules in a file. A broken edit changes nothing: the last good rules stay in force, and `problem` says so."""

from __future__ import annotations

import tomllib
from pathlib import Path

from incident.routes_file import RoutesProblem, routes_from
from incident.routing import Routes
from integrations.errors import Unavailable


class RoutesUnusable(Unavailable):
    """The file can't be read, or has mistakes. The message names the file, and each mistake with its place."""


def read(path: Path) -> Routes:
    """Read the file.

    Raises:
        RoutesUnusable: it is missing, no TOML, or says what makes no sense.
    """
    try:
        return routes_from(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise RoutesUnusable(f"the routing rules {path} can't be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise RoutesUnusable(f"the routing rules {path} are no TOML: {error}") from error
    except RoutesProblem as error:
        raise RoutesUnusable(f"the routing rules {path} have mistakes: {error}") from error


class RoutesFile:
    """The rules in force; those that are built in where there is no file. Looks at the file's time on every call."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.problem: str | None = None
        self._rules: Routes | None = Routes() if path is None else None
        self._seen: tuple[int, ...] | None = None

    def in_force(self) -> Routes:
        """The newest good rules.

        Raises:
            RoutesUnusable: there never were any.
        """
        if self.path is not None:
            self._look(self.path)
        if self._rules is None:
            raise RoutesUnusable(self.problem or f"there are no routing rules at {self.path}")
        return self._rules

    def _look(self, path: Path) -> None:
        try:
            status = path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen != self._seen:
                self._rules, self.problem = read(path), None
                self._seen = seen
        except OSError as error:
            self.problem, self._seen = f"the routing rules {path} can't be read: {error}", None
        except RoutesUnusable as error:
            self.problem, self._seen = str(error), None
