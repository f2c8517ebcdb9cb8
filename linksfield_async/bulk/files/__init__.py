"""Where cards come from and results go to: tables, lists, JSON lines, Parquet, gzip."""
