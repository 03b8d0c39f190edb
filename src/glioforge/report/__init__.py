"""Pages, tables and figures from rows of results; knows neither torch nor a family."""
