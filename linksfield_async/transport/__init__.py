"""Carries requests.

`base` says what a transport is. Two carry over aiohttp: `direct` writes each request itself on a
connection of aiohttp's pool (`wires`, `heads`), `session` goes through aiohttp.ClientSession;
`choice` takes one of them, by what `fitness` says of the installed aiohttp. They share `loops`
(what each event loop has), `calls` (what is under way, and its limits), `faults` (what may be
concluded), `tls` and `reading`.
"""
