"""Carries requests: `base` says what a transport is, `session` is the one over aiohttp."""
