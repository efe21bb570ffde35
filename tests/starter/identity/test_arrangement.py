"""The settings of signing in: what does not go together is said at the start, by the variable's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.vocabulary import Access
from runtime.settings import SettingsError, load_settings
from starter.identity.arrangement import arranged

OPENID = {
    "auth": "oidc",
    "public_url": "https://tocsin.example.org",
    "oidc_issuer": "https://id.example.org",
    "oidc_client_id": "tocsin",
    "oidc_client_secret": "s3cret-of-ours",
    "roles": '{"sre": ["responder"], "cn=leads,ou=groups": ["commander", "admin"], "*": ["viewer"]}',
}
PROXY = {"auth": "proxy", "proxies": "10.0.0.5, 10.1.0.0/16", "roles": '{"sre": "responder"}'}


def test_nobody_signs_in_unless_it_is_arranged() -> None:
    """Without a setting, it is the mode for one machine."""
    made = arranged(load_settings())

    assert (made.mode, made.provider, made.headers) == ("dev", None, None)


def test_groups_become_roles() -> None:
    """A group's name may hold what names in directories hold; everybody who signs in has what `*` has."""
    made = arranged(load_settings(**OPENID))

    assert made.roles_of(["cn=leads,ou=groups"]) == {Access.COMMANDER, Access.ADMIN, Access.VIEWER}
    assert made.roles_of([]) == {Access.VIEWER}
    assert made.hosts == ("tocsin.example.org",)
    assert made.secure


@pytest.mark.parametrize(
    ("base", "changes", "said"),
    [
        ({}, {"auth": "magic"}, "TOCSIN_AUTH: "),
        (OPENID, {"oidc_issuer": None}, "TOCSIN_OIDC_ISSUER: TOCSIN_AUTH=oidc needs it"),
        (OPENID, {"oidc_client_id": None, "public_url": None}, "TOCSIN_OIDC_CLIENT_ID, TOCSIN_PUBLIC_URL: TOCSIN_AUTH=oidc needs them"),
        (OPENID, {"oidc_client_secret": " "}, "TOCSIN_OIDC_CLIENT_SECRET is empty"),
        (OPENID, {"oidc_scopes": "profile"}, "TOCSIN_OIDC_SCOPES: must have `openid`"),
        (OPENID, {"public_url": "http://tocsin.example.org"}, "TOCSIN_PUBLIC_URL: must be https"),
        (OPENID, {"public_url": "https://tocsin.example.org/here"}, "TOCSIN_PUBLIC_URL: must have no path"),
        (OPENID, {"public_url": "tocsin.example.org"}, "TOCSIN_PUBLIC_URL: must look like"),
        (OPENID, {"oidc_issuer": "http://id.example.org"}, "TOCSIN_OIDC_ISSUER: must be https"),
        (OPENID, {"roles": None}, "TOCSIN_ROLES: TOCSIN_AUTH=oidc needs it"),
        (OPENID, {"roles": '{"sre": []}'}, "TOCSIN_ROLES: TOCSIN_AUTH=oidc needs it"),
        (OPENID, {"roles": "sre=responder"}, "TOCSIN_ROLES: is no JSON"),
        (OPENID, {"roles": '["sre"]'}, "TOCSIN_ROLES: must be an object"),
        (OPENID, {"roles": '{"sre": ["boss"]}'}, "TOCSIN_ROLES: 'boss', given to 'sre', is no role; there are viewer, responder"),
        (PROXY, {"proxies": None}, "TOCSIN_PROXIES: TOCSIN_AUTH=proxy needs it"),
        (PROXY, {"proxies": "10.0.0.5, proxy.local"}, "TOCSIN_PROXIES: 'proxy.local' is no address"),
        (PROXY, {"proxies": "10.0.0.5/8"}, "TOCSIN_PROXIES: '10.0.0.5/8' is no address and no network"),
        (PROXY, {"proxy_user_header": "X User"}, "TOCSIN_PROXY_USER_HEADER: is no header's name"),
        (PROXY, {"hosts": "https://tocsin.example.org"}, "TOCSIN_HOSTS: 'https://tocsin.example.org' is no host's name"),
    ],
)
def test_what_does_not_go_together_is_told_by_its_name(base: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    """Whoever sets the server up hears which variable, and what would do."""
    with pytest.raises(SettingsError) as told:
        arranged(load_settings(**{**base, **changes}))

    assert str(told.value).startswith(said)


def test_a_mistake_beside_a_secret_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of a failed start are read by many."""
    monkeypatch.setenv("TOCSIN_OIDC_CLIENT_SECRET", "s3cret-of-ours")
    monkeypatch.setenv("TOCSIN_AUTH", "magic")
    with pytest.raises(SettingsError) as told:
        load_settings()

    assert "s3cret" not in str(told.value)
    assert "s3cret" not in repr(load_settings(auth="dev"))


@pytest.mark.parametrize("name", ["proxy_secret", "oidc_client_secret", "webhook_token"])
def test_a_secret_may_stand_in_a_file(tmp_path: Path, name: Any) -> None:
    """As orchestrators hand them in; not in two places, and not empty."""
    file, empty = tmp_path / "secret", tmp_path / "empty"
    file.write_text("from the file\n")
    empty.write_text("\n")
    said = []
    for changes in ({f"{name}_file": file, name: "also"}, {f"{name}_file": empty}, {f"{name}_file": tmp_path / "gone"}):
        with pytest.raises(SettingsError) as told:
            load_settings(**changes).secret(name)
        said.append(str(told.value))

    assert load_settings(**{f"{name}_file": file}).secret(name) == "from the file"
    assert ["both set" in said[0], "is empty" in said[1], "can't be read" in said[2]] == [True, True, True]
