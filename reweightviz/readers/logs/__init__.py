"""Run logs: one file a format -> RunLog, whole or followed."""
