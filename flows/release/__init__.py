"""From registered claims to a published release, its export and its verification."""
