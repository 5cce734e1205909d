"""The Delta tables of releases and of registered claims."""
