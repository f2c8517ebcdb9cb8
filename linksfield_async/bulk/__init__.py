"""Many operations at once: `engine` sends them, `outcome` says what became of each."""
