"""A real OpenID Connect provider, as a process of its own: Canaille, with its rows in memory.

    python -m tests.starter.identity.provider PORT REDIRECT_URI

It has three people, each with the password `right`: ana (groups sre, leads), ben (sre), eve (in no group).
"""

from __future__ import annotations

import datetime
import os
import sys
from typing import Any

CLIENT_ID = "tocsin"
CLIENT_SECRET = "the client's secret"
PASSWORD = "right"
GROUPS = {"sre": ("ana", "ben"), "leads": ("ana",)}
PEOPLE = ("ana", "ben", "eve")


def provider(port: int, redirect: str) -> Any:
    """The provider as a WSGI application, filled."""
    from canaille import create_app
    from canaille.app import models
    from canaille.backends import Backend
    from canaille.backends.memory.backend import MemoryBackend
    from joserfc.jwk import RSAKey

    config = {
        "SECRET_KEY": "of a test",
        "SERVER_NAME": f"127.0.0.1:{port}",
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "memory", "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc"]}}},
        "CANAILLE_OIDC": {
            "ACTIVE_JWKS": [RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)],
            "USERINFO_MAPPING": {"PREFERRED_USERNAME": "{{ user.user_name }}"},
        },
    }

    class Rows(MemoryBackend):  # type: ignore[misc]  # the package ships no types
        """Canaille's rows in memory, where several criteria mean all of them: in 0.3.6 any one is enough, and codes get mixed up."""

        # Canaille looks for its models beside its backend.
        __module__ = MemoryBackend.__module__

        def do_query(self, model: Any, *args: Any, **criteria: Any) -> list[Any]:
            if len(criteria) < 2:
                return list(super().do_query(model, *args, **criteria))
            found = [{row.id: row for row in super(Rows, self).do_query(model, *args, **{name: value})} for name, value in criteria.items()]
            return [row for id_, row in found[0].items() if all(id_ in rows for rows in found[1:])]

    app = create_app(config=config, backend=Rows(config))
    with app.app_context(), Backend.instance.session():
        people = {}
        for name in PEOPLE:
            people[name] = models.User(
                formatted_name=name, family_name=name, user_name=name, emails=[f"{name}@example.org"], password=PASSWORD
            )
            Backend.instance.save(people[name])
        for group, members in GROUPS.items():
            Backend.instance.save(models.Group(display_name=group, members=[people[name] for name in members]))
        client = models.Client(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            client_name="Tocsin",
            client_uri="http://127.0.0.1",
            redirect_uris=[redirect],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "email", "groups"],
            token_endpoint_auth_method="client_secret_basic",
            client_id_issued_at=datetime.datetime.now(datetime.UTC),
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
    return app


def main(port: int, redirect: str) -> None:
    from werkzeug.serving import run_simple

    # Authlib, on which the provider is built too, insists on TLS otherwise.
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    run_simple("127.0.0.1", port, provider(port, redirect), threaded=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
