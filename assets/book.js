// Loaded before Font Awesome: without this it rewrites the icons inside widgets, and Play buttons stop working.
window.FontAwesomeConfig = { observeMutations: false };
