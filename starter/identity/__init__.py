"""Who is there, and what they may do at this door. What they may do to an incident is the core's (`incident.permissions`).

actor        who acts, for every request; laid over each command on its way to Temporal
arrangement  the settings, read into one of three ways to sign in: dev, proxy, oidc
entrance     the middleware: finds the actor of every request, and turns away who has none
places       which address needs what
proxy        names and groups from the headers of a proxy that is trusted
provider     OpenID Connect, by Authlib
sessions     cookies, attempts to sign in, the session behind a cookie
tokens       personal tokens, for the command line and for scripts
limits       how often one address may try
streams      ends a stream of events with the sign-in of who reads it
routes       /api/v1/whoami and /api/v1/tokens
store        the rows behind all that; only hashes of what opens something
"""
