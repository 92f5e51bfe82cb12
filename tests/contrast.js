// Returns the texts of the page by their ratio of contrast to what lies behind them, the least first,
// as {ratio, needed, where, text}. WCAG 2.2 AA asks for 4.5, for large texts 3, and for the edges of
// inputs 3; what is disabled is exempt.
() => {
  const parts = (colour) => {
    const found = colour.match(/[\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const over = (front, back) =>
    [0, 1, 2].map((i) => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratioOf = (one, other) => {
    const [more, less] = [light(one), light(other)].sort((a, b) => b - a);
    return (more + 0.05) / (less + 0.05);
  };
  const upwards = (element) => (element ? [element, ...upwards(element.parentElement)] : []);
  const behind = (element) => {
    const layers = upwards(element).map((e) => parts(getComputedStyle(e).backgroundColor));
    return [...layers, [255, 255, 255, 1]].reduceRight((back, front) => over(front, back));
  };
  const seen = (element) => element.getClientRects().length && element.checkVisibility();
  const found = new Map();
  const note = (element, colour, back, needed, text) => {
    const ratio = Math.round(100 * ratioOf(over(colour, back), back)) / 100;
    const name = element.className.baseVal ?? element.className;
    const where = `${element.tagName}#${element.id}.${name} ${colour} on ${back}`;
    found.set(where, { ratio, needed, where, text: text.slice(0, 40) });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.matches("script, style, noscript, :disabled") || !seen(element)) continue;
    const style = getComputedStyle(element);
    const drawn = element instanceof SVGElement;
    const colour = parts(drawn ? style.fill : style.color);
    for (const { opacity } of upwards(element).map((e) => getComputedStyle(e))) {
      colour[3] *= opacity;
    }
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    note(element, colour, behind(drawn ? element.ownerSVGElement : element), large ? 3 : 4.5, text);
  }
  for (const element of document.querySelectorAll("input, select, button")) {
    const style = getComputedStyle(element);
    if (!seen(element) || element.disabled) continue;
    if (element.placeholder) {
      note(element, parts(getComputedStyle(element, "::placeholder").color), behind(element), 4.5,
        element.placeholder);
    }
    const plain = ["range", "checkbox", "radio"].includes(element.type);
    if (!plain && parseFloat(style.borderTopWidth) && style.borderTopStyle !== "none") {
      note(element, parts(style.borderTopColor), behind(element.parentElement), 3, "its edge");
    }
  }
  return [...found.values()].sort((a, b) => a.ratio / a.needed - b.ratio / b.needed);
}
