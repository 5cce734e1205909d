"""The dossier of an obligation as one page that needs nothing else: in three languages, with a chart and its table."""
