"""The part of a release that is published of record kinds."""
