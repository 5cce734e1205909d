"""The release site: what a release shows, as static pages in three languages."""
