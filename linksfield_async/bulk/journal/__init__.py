"""The journal of a bulk run: what was decided stays decided, through any crash."""
