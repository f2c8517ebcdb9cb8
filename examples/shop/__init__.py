"""A shop that sells SIM plans through linksfield_async: `python -m examples.shop` runs it."""
