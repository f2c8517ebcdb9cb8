"""The package's version, and nothing else, so that a build need not import the package."""

__version__ = "0.1.0"
