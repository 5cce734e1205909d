"""An analyst's package of a release: every table as files that describe themselves."""
