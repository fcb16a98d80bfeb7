/* What a node said before it was translated. Whoever compares what a node says with what it should
   say asks here: the page's own texts are English. */

const texts = new WeakMap(); // text node -> {english, shown}
const attributes = new WeakMap(); // element -> Map of attribute -> {english, shown}

/** What was said of this text node, where it still shows its translation. */
const recordOf = (node) => {
  const record = texts.get(node);
  return record && record.shown === node.data ? record : undefined;
};

const attributeRecord = (element, name) => {
  const record = attributes.get(element)?.get(name);
  return record && record.shown === element.getAttribute(name) ? record : undefined;
};

/** The English of a text node. */
export const englishText = (node) => recordOf(node)?.english ?? node.data;

/** The English of an attribute; null where there is none. */
export const englishAttribute = (element, name) =>
  attributeRecord(element, name)?.english ?? element.getAttribute(name);

/** The English of all that is in an element. */
export const englishOf = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return englishText(node);
  return node.childNodes.length === 0 ? "" : [...node.childNodes].map(englishOf).join("");
};

/** Whether a text node shows a translation already. */
export const isTranslated = (node) => recordOf(node) !== undefined;

/** Whether an attribute does. */
export const isAttributeTranslated = (element, name) =>
  attributeRecord(element, name) !== undefined;

/** Show another text, and remember the English. */
export const showText = (node, shown) => {
  texts.set(node, { english: node.data, shown });
  node.data = shown;
};

/** The same for an attribute. */
export const showAttribute = (element, name, shown) => {
  const records = attributes.get(element) ?? new Map();
  records.set(name, { english: element.getAttribute(name), shown });
  attributes.set(element, records);
  element.setAttribute(name, shown);
};

/** Show English again. */
export const restoreText = (node) => {
  const record = recordOf(node);
  if (record) node.data = record.english;
};

/** The same for an attribute. */
export const restoreAttribute = (element, name) => {
  const record = attributeRecord(element, name);
  if (record) element.setAttribute(name, record.english);
};
