"""`/`: what this is, and where to go from here."""

HOME = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tocsin</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>Tocsin</h1>
<p>Durable incident response on Temporal: every acknowledgement, update and deadline that the process asks for
is kept, told once, and on record.</p>
<ul>
<li><a href="/api/v1/incidents?open=true">Open incidents</a> (<code>tocsin list</code>)</li>
<li><a href="/api/v1/stats">How long things take</a> (<code>tocsin stats</code>)</li>
<li><a href="/api/v1/policy">The policy in force</a> (<code>tocsin policy show</code>)</li>
<li><a href="/api/v1/doctor">Is everything well?</a> (<code>tocsin doctor</code>)</li>
<li>Told outside: <a href="/api/v1/embedded/chat">chat</a>, <a href="/api/v1/embedded/status">status page</a>,
<a href="/api/v1/embedded/tickets">tickets</a>, <a href="/api/v1/embedded/pages">pages</a></li>
<li><a href="/openapi.json">The HTTP interface</a>, <a href="/metrics">metrics</a></li>
</ul>
<p>New here? Type <code>tocsin drill</code>: a practice incident, some minutes long, that reaches nobody real.</p>
</html>
"""
