"""Small programs to copy from; each directory has a README.md."""
