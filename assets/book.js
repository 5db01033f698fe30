// Loaded first on every page.

// Font Awesome would rewrite the icons inside widgets, after which their Play buttons do nothing.
window.FontAwesomeConfig = { observeMutations: false };

// Widgets hand their labels to MathJax 2 and stop if it is absent; the pages have MathJax 3.
// (So write labels in Unicode: α, η̃.)
window.addEventListener("load", () => {
  if (window.MathJax) MathJax.Hub = { Queue() {} };
});

// What screen readers need and the theme and the widgets leave out or get wrong.
const ofSlider = (part) => (handle) => handle.closest(".widget-slider")?.querySelector(part)?.innerText || "slider";
const MENDS = [
  [".bd-sidebar-primary", "role", "complementary"],
  [".citation-list > .citation", "role", "listitem"],
  [".jupyter-button:has(.fa-play)", "aria-label", "Play"],
  [".jupyter-button:has(.fa-pause)", "aria-label", "Pause"],
  [".jupyter-button:has(.fa-stop)", "aria-label", "Stop"],
  [".jupyter-button:has(.fa-retweet)", "aria-label", "Repeat"],
  [".noUi-handle", "aria-label", ofSlider(".widget-label")],
  [".noUi-handle", "aria-valuetext", ofSlider(".widget-readout")], // not the number of the choice
  [".theme-switch-button", "aria-label", "Color mode: Light Dark System Settings"],
  [".search-button-field, summary", "aria-label", null], // their text says it
];

function mend() {
  for (const [selector, attribute, value] of MENDS)
    for (const element of document.querySelectorAll(selector))
      if (value === null) element.removeAttribute(attribute);
      else element.setAttribute(attribute, typeof value === "string" ? value : value(element));
}

// No line begins with the comma that follows a formula, or ends with the bracket before one.
function keepTogether(formula) {
  const before = formula.previousSibling?.nodeValue?.match(/[(\[“]+$/)?.[0] ?? "";
  const after = formula.nextSibling?.nodeValue?.match(/^[.,;:!?)\]”’]+/)?.[0] ?? "";
  if (!before && !after) return;
  const whole = document.createElement("span");
  whole.className = "together";
  formula.replaceWith(whole);
  if (before) whole.previousSibling.nodeValue = whole.previousSibling.nodeValue.slice(0, -before.length);
  if (after) whole.nextSibling.nodeValue = whole.nextSibling.nodeValue.slice(after.length);
  whole.append(before, formula, after);
}

// On paper there is nothing to click: proofs and checks are open while it is printed.
let closed = [];
window.addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open], .hide)")];
  for (const details of closed) details.open = true;
});
window.addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("article span.math").forEach(keepTogether);
  mend();
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true }); // widgets come late
});
