"""Pure functions to plotly figures and SVG."""
