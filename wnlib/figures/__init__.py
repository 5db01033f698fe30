"""The figures and explorers of the book; the only room that needs Matplotlib and ipywidgets."""
