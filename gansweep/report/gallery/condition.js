// This file reads the filter, which has the grammar of `gansweep report --where`: conditions on the
// same names, such as lr<1e-3 and gen==1. Beyond that it takes words, which must occur in a row's
// texts, conditions without `and` between them, headings as names, and name=value,value.

const TOKEN = new RegExp([
  /(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\p{L}_]))/,
  /"(?<double>[^"]*)"?|'(?<single>[^']*)'?|`(?<quoted>[^`]*)`?/,
  /(?<sign>\*\*|<=|>=|==|!=|[<>=+\-*/%()[\],&|~])/,
  /(?<name>[\p{L}_][\p{L}\p{N}_.]*)/,
  /(?<other>[^\s])/,
].map(({ source }) => source).join("|"), "uy");
const VALUES = /((?:"[^"]*"|'[^']*'|[^\s"'()&|])*)/y;  // of name=value,value
const KEYWORDS = ["and", "or", "not", "in"];
const MAX_NAMED = 12;  // columns or values that a message lists

const plain = (name) => name.toLowerCase().replace(/[\s_()-]+/g, "");
const quoted = (name) => (/^[\p{L}_][\p{L}\p{N}_.]*$/u.test(name) ? name : `"${name}"`);
const number = (text) => (text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text));
const missing = (value) => value === null || value === undefined;

class FilterError extends Error {}

// Returns {test: row → boolean, names: the columns it reads}, or {error: what is wrong and valid}.
function parseFilter(text) {
  try {
    const names = new Set();
    const test = isCondition(text) ? new Parser(text, names).parse() : wordsTest(text);
    rows.forEach(test);  // some errors show only in the values
    return { test, names: [...names] };
  } catch (error) {
    if (error instanceof FilterError) return { error: error.message };
    throw error;
  }
}

// Is the text a condition? Otherwise it is words. Conditions compare, or consist of columns whose
// values are true and false.
function isCondition(text) {
  const outside = text.replace(/"[^"]*"?|'[^']*'?/g, " x ");
  if (/[<>=]|(^|\s)in\s*[[(]/.test(outside)) return true;
  const words = outside.match(/[^\s()&|~]+/g) ?? [];
  const names = words.filter((word) => !KEYWORDS.includes(word));
  return names.length > 0 && names.every((name) => name in page.names
    && rows.some((row) => typeof valueOf(row, name) === "boolean"));
}

// Returns a test whether all words of the text, and its quoted phrases, occur in a row's texts.
function wordsTest(text) {
  const wanted = [...text.matchAll(/"([^"]*)"?|'([^']*)'|(\S+)/g)]
    .map(([, a, b, c]) => (a ?? b ?? c).toLowerCase());
  return (row) => wanted.every((word) => textsOf(row).includes(word));
}

function valueOf(row, name) {
  const value = row.also[name];
  return (value === undefined ? page.common[name] : value) ?? null;
}

// Returns a function row → value of the column that is called `name`, has this heading, or is the
// picture column with this heading or metric; null if there is none.
function readerOf(name) {
  const key = plain(name);
  const known = Object.entries(page.names).find(([own]) => own === name)
    ?? Object.entries(page.names).find(([own, heading]) =>
      plain(own) === key || plain(heading) === key);
  if (known) return (row) => valueOf(row, known[0]);
  const place = page.pictures.findIndex(({ heading, metric }) =>
    plain(heading) === key || (metric && plain(metric) === key));
  return place < 0 ? null : (row) => row.cells[place].value ?? null;
}

// Reads one condition, by recursive descent. Each method returns a function row → value.
class Parser {
  constructor(text, names) {
    Object.assign(this, { text, names, position: 0 });
    this.read();
  }

  // Reads the next token into `this.token`: {type, value, start}, or null at the end.
  read() {
    while (/\s/.test(this.text[this.position] ?? "")) this.position += 1;
    TOKEN.lastIndex = this.position;
    const groups = TOKEN.exec(this.text)?.groups;
    this.token = null;
    if (!groups) return;
    let [type, value] = Object.entries(groups).find(([, found]) => found !== undefined);
    if (type === "name" && KEYWORDS.includes(value)) type = "sign";
    if (type === "double" || type === "single") type = "text";
    this.token = { type, value, start: this.position };
    this.position = TOKEN.lastIndex;
  }

  is(...values) {
    return this.token?.type === "sign" && values.includes(this.token.value);
  }

  take(...values) {
    const found = this.is(...values) && this.token.value;
    if (found) this.read();
    return found;
  }

  expect(value) {
    if (!this.take(value)) this.fail(`${value} is missing`);
  }

  fail(reason) {
    const place = this.token ? ` at ${this.text.slice(this.token.start)}` : " at the end";
    throw new FilterError(`${reason}${place}. Write a condition such as lr<1e-4 and gen==1.`);
  }

  parse() {
    const test = this.either();
    if (this.token) this.fail("Something is wrong");
    return (row) => Boolean(test(row));
  }

  either() {
    let left = this.both();
    while (this.take("or", "|")) {
      const [one, other] = [left, this.both()];
      left = (row) => one(row) || other(row);
    }
    return left;
  }

  both() {
    let left = this.negated();
    while (this.take("and", "&") || this.startsTerm()) {
      const [one, other] = [left, this.negated()];
      left = (row) => one(row) && other(row);
    }
    return left;
  }

  startsTerm() {
    return this.token && (this.token.type !== "sign" || this.is("(", "not", "~"));
  }

  negated() {
    if (!this.take("not", "~")) return this.comparison();
    const test = this.negated();
    return (row) => !test(row);
  }

  comparison() {
    const first = this.token;
    let left = this.sum();
    const tests = [];
    for (;;) {
      if (this.is("=")) {
        tests.push(this.oneOf(tests.length ? left : this.asColumn(left, first)));
        break;
      }
      const operator = this.operator();
      if (!operator) break;
      if (!tests.length) left = this.asColumn(left, first);
      const right = operator.endsWith("in") ? this.list() : this.sum();
      const compare = COMPARE[operator];
      const [one, other] = [this.value(left), this.value(right)];
      tests.push((row) => compare(one(row), other(row), this.text));
      left = right;
    }
    if (tests.length) return (row) => tests.every((test) => test(row));
    // A word that is not compared must occur in the row's texts, unless it is true or false.
    if (left.word && !rows.some((row) => typeof left.read?.(row) === "boolean")) {
      return wordsTest(`"${left.word}"`);
    }
    return this.value(left);
  }

  operator() {
    const found = this.take("<", "<=", ">", ">=", "==", "!=", "in");
    if (found || !this.is("not")) return found;
    const [token, position] = [this.token, this.position];
    this.read();
    if (this.take("in")) return "not in";
    Object.assign(this, { token, position });
    return false;
  }

  // A text on the left of a comparison is a heading, if there is such a column.
  asColumn(left, token) {
    const read = token?.type === "text" && readerOf(token.value);
    return read && left.word === token.value ? this.column(token.value, read) : left;
  }

  // Reads the values of name=value,value, which are texts or numbers without quotes.
  oneOf(left) {
    const read = this.value(left);
    VALUES.lastIndex = this.token.start + 1;
    const [raw] = VALUES.exec(this.text);
    const wanted = (raw.match(/"[^"]*"|'[^']*'|[^,"']+/g) ?? [])
      .map((part) => part.replace(/["']/g, "").trim().toLowerCase());
    if (!wanted.length) throw new FilterError(`${left.word ?? ""}= needs a value.`);
    this.position = VALUES.lastIndex;
    this.read();
    return (row) => wanted.some((text) => {
      const value = read(row);
      return typeof value === "number" ? number(text) === value
        : String(value ?? "").toLowerCase() === text;
    });
  }

  list() {
    const end = this.take("[", "(") === "(" ? ")" : "]";
    const items = [];
    while (this.token && !this.is(end)) {
      items.push(this.value(this.sum()));
      if (!this.take(",")) break;
    }
    this.expect(end);
    return { read: (row) => items.map((item) => item(row)) };
  }

  sum() {
    return this.chain(() => this.product(), { "+": (a, b) => a + b, "-": (a, b) => a - b });
  }

  product() {
    return this.chain(() => this.power(),
      { "*": (a, b) => a * b, "/": (a, b) => a / b, "%": (a, b) => a - b * Math.floor(a / b) });
  }

  chain(next, operations) {
    let left = next();
    for (let sign; (sign = this.take(...Object.keys(operations)));) {
      const [one, other] = [this.value(left), this.value(next())];
      left = { read: (row) => arithmetic(operations[sign], one(row), other(row)) };
    }
    return left;
  }

  power() {
    if (this.take("-")) {
      const operand = this.value(this.power());
      return { read: (row) => arithmetic((a) => -a, operand(row), 0) };
    }
    const base = this.operand();
    if (!this.take("**")) return base;
    const [one, other] = [this.value(base), this.value(this.power())];
    return { read: (row) => arithmetic((a, b) => a ** b, one(row), other(row)) };
  }

  operand() {
    if (this.take("(")) {
      const inner = this.either();
      this.expect(")");
      return { read: inner.read ?? inner };
    }
    const { token } = this;
    if (!token || ["sign", "other"].includes(token.type)) this.fail("A name or a value is missing");
    this.read();
    const { type, value } = token;
    if (type === "number") return { read: () => Number(value) };
    if (type === "text") return { read: () => value, word: value };
    if (["True", "False"].includes(value)) return { read: () => value === "True" };
    if (["None", "nan"].includes(value)) return { read: () => null };
    const read = readerOf(value);
    return read ? this.column(value, read) : { read: null, word: value };
  }

  column(name, read) {
    this.names.add(name);
    return { read, word: name };
  }

  // Returns the function of an operand. A name that no column has is refused here.
  value(operand) {
    if (typeof operand === "function") return operand;
    if (operand.read) return operand.read;
    const near = nearest(operand.word, Object.keys(page.names));
    const hint = near ? ` Did you mean ${near}?`
      : ` Columns: ${page.columns.map(({ name }) => quoted(name)).slice(0, MAX_NAMED).join(", ")}.`;
    throw new FilterError(`No column ${quoted(operand.word)}.${hint} A text stands in quotes.`);
  }
}

function arithmetic(operation, a, b) {
  if (missing(a) || missing(b)) return null;
  if ([a, b].some((value) => typeof value === "string")) {
    throw new FilterError("A text is no number.");
  }
  const result = operation(Number(a), Number(b));
  return Number.isFinite(result) ? result : null;
}

// As pandas compares: a missing value is unequal to all, and a text has no order with a number.
const equal = (a, b) => !missing(a) && !missing(b)
  && (typeof a === "string" || typeof b === "string" ? a === b : Number(a) === Number(b));

function ordered(holds) {
  return (a, b, text) => {
    if (missing(a) || missing(b)) return false;
    if ((typeof a === "string") !== (typeof b === "string")) {
      throw new FilterError(`${text}: a text and a number are compared.`);
    }
    return holds(a, b);
  };
}

const COMPARE = {
  "<": ordered((a, b) => a < b),
  "<=": ordered((a, b) => a <= b),
  ">": ordered((a, b) => a > b),
  ">=": ordered((a, b) => a >= b),
  "==": equal,
  "!=": (a, b) => !equal(a, b),
  in: (a, list) => list.some((item) => equal(a, item)),
  "not in": (a, list) => !list.some((item) => equal(a, item)),
};

// Returns the most similar of the names, or null if none is similar.
function nearest(name, names) {
  const best = names.map((known) => [distance(name.toLowerCase(), known.toLowerCase()), known])
    .reduce((a, b) => (b[0] < a[0] ? b : a), [Infinity, null]);
  return best[0] <= Math.max(1, Math.floor(name.length / 3)) ? best[1] : null;
}

// Returns the edit distance of two texts.
function distance(a, b) {
  let line = [...Array(b.length + 1).keys()];
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(next[j - 1] + 1, line[j] + 1, line[j - 1] + (a[i - 1] !== b[j - 1]));
    }
    line = next;
  }
  return line[b.length];
}

// Says which values the columns of a filter have that no row passes.
function valuesInWords(names) {
  return names.map((name) => {
    const read = readerOf(name);
    const values = [...new Set(rows.map(read))].filter((value) => !missing(value));
    const numbers = values.filter((value) => typeof value === "number");
    if (!values.length) return `${name} has no value`;
    if (values.length > MAX_NAMED && numbers.length === values.length) {
      const [low, high] = [Math.min(...numbers), Math.max(...numbers)].map(brief);
      return `${name} is from ${low} to ${high}`;
    }
    const listed = values.slice(0, MAX_NAMED).sort((a, b) => (a > b) - (a < b))
      .map((value) => (typeof value === "string" ? `'${value}'` : brief(value)));
    return `${name} is ${listed.join(", ")}${values.length > MAX_NAMED ? ", …" : ""}`;
  }).join("; ");
}

const brief = (value) => (typeof value === "number" ? String(Number(value.toPrecision(4)))
  : typeof value === "boolean" ? (value ? "True" : "False") : String(value));

const texts = new Map();

// Returns all texts of a row, in lower case.
function textsOf(row) {
  if (!texts.has(row.key)) {
    const cellTexts = row.cells.flatMap((cell) => [
      cell.why, cell.text, ...(cell.words ?? []), ...(cell.notes ?? []),
      ...(cell.runs ?? []).flatMap((id) => [runs.get(id).status, runs.get(id).note]),
    ]);
    texts.set(row.key, [row.label, ...row.texts, ...cellTexts].join("\n").toLowerCase());
  }
  return texts.get(row.key);
}
