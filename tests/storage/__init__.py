"""The tables of a migrated database are those of `storage.tables`."""
