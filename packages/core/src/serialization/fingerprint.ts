/**
 * Tells whether two starts under one idempotency key have the same arguments. A message that is delivered twice has often
 * passed through JSON once more, so what JSON keeps only in meaning counts by its meaning.
 */
import { createHash, hash } from "node:crypto";
import { tooLarge } from "./depth.ts";
import { unpack } from "./format.ts";

/**
 * A digest of a workflow's name and its encoded arguments, as 64 hexadecimal characters. `args` must come from `encode`.
 *
 * What does not count: the order of an object's keys; a property or a last argument that is `undefined` against a missing
 * one; `undefined` or a hole against `null` inside an array; `-0` against `0`; a `Date` or a `URL` against its text; a boxed
 * primitive against the primitive; an object's missing prototype; a `Buffer` against a `Uint8Array`; where an error's stack
 * was; which abort signal it is, and whether it was aborted; whether two places hold the same object or equal ones (only a value that contains itself is told apart by that).
 *
 * Everything else counts: the order of arrays, maps and sets, `null` against a missing property or last argument, bigint,
 * `NaN`, bytes, classes.
 */
export function fingerprint(workflow: string, args: Uint8Array | null): string {
  const digest = createHash("sha256");
  // JSON keeps the name apart from what follows it.
  digest.update(JSON.stringify(workflow));
  digest.update(args === null ? "" : canonicalArguments(args));
  return digest.digest("hex");
}

function canonicalArguments(bytes: Uint8Array): string {
  const { format, text } = unpack(bytes);
  const stored: unknown = JSON.parse(text);
  try {
    if (format === "j") return canonicalJson(stored);
    return canonicalGraph(withoutLastUndefined(Array.isArray(stored) ? stored : []));
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge("args", error);
    throw error;
  }
}

function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    const items: Item[] = [];
    for (const [index, item] of value.entries()) items.push([index, canonicalJson(item)]);
    return arrayText(value.length, items);
  }
  const texts: Entry[] = [];
  for (const [key, item] of Object.entries(value).sort(byKey)) texts.push([key, canonicalJson(item)]);
  return objectText(texts);
}

type Entry = readonly [key: string, text: string];
type Item = readonly [index: number, text: string];

const NULL = "null";

/** Of entries in the order of their keys. */
function objectText(entries: readonly Entry[]): string {
  return short(`{${entries.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join()}}`);
}

/** Its length, and what is not `null`, so that a sparse array is written like a dense one. */
function arrayText(length: number, items: readonly Item[]): string {
  const filled = items.filter(([, text]) => text !== NULL);
  return short(`[${length};${filled.map(([index, text]) => `${index}:${text}`).join()}]`);
}

const LONGEST_TEXT = 200;

/** A long text's digest in its place: an object that is met a thousand times would be written out a thousand times. */
function short(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `#${hash("sha256", text, "base64url")}`;
}

// What devalue writes in place of an index.
const UNDEFINED = -1;
const HOLE = -2;
const NEGATIVE_ZERO = -6;
const SPARSE = -7;

/** The nodes with an argument list, which is the first, that ends with its last argument that is not `undefined`. */
function withoutLastUndefined(nodes: readonly unknown[]): readonly unknown[] {
  const [args, ...others] = nodes;
  if (!Array.isArray(args) || typeof args[0] === "string" || args[0] === SPARSE) return nodes;
  const length = args.findLastIndex((index) => index !== UNDEFINED && index !== HOLE) + 1;
  return [args.slice(0, length), ...others];
}

/** The text of devalue's nodes, which name each other by index. */
function canonicalGraph(nodes: readonly unknown[]): string {
  try {
    return new Graph(nodes, "equal").text(0);
  } catch (error) {
    if (!(error instanceof Cycle)) throw error;
    // Nothing is ever complete in a cycle: an object that is met again is named.
    return new Graph(nodes, "named").text(0);
  }
}

class Cycle extends Error {}

class Graph {
  readonly #nodes: readonly unknown[];
  /** What an object that is met again is: the same text again, or a name by the order in which objects are met. */
  readonly #again: "equal" | "named";
  readonly #texts: Map<number, string | null> = new Map();

  constructor(nodes: readonly unknown[], again: "equal" | "named") {
    this.#nodes = nodes;
    this.#again = again;
  }

  text(index: number): string {
    if (index === NEGATIVE_ZERO) return "0";
    if (index === UNDEFINED || index === HOLE) return NULL;
    if (index < 0) return `<${index}>`;
    const node = this.#nodes[index];
    if (typeof node !== "object" || node === null) return JSON.stringify(node);
    const known = this.#texts.get(index);
    if (known === null) throw new Cycle();
    if (known !== undefined) return known;
    this.#texts.set(index, this.#again === "equal" ? null : `@${this.#texts.size}`);
    const text = this.#composite(node);
    if (this.#again === "equal") this.#texts.set(index, text);
    return text;
  }

  #composite(node: object): string {
    if (!Array.isArray(node)) return this.#object(Object.entries(node as Record<string, number>));
    const [tag, first] = node;
    switch (tag) {
      case "Date":
        return first === "" ? "<Date>" : JSON.stringify(first);
      case "URL":
        return JSON.stringify(first);
      case "Object":
      case "Buffer":
        return this.text(first);
      case "null":
        return this.#object(pairs(node, 1) as [string, number][]);
      case "Entries":
      case "NullEntries":
        // An object with an own `__proto__`: the node that it names is a map, and its keys are strings.
        return this.#object(
          pairs(this.#nodes[first] as unknown[], 1).map(([key, value]) => [
            this.#nodes[key as number] as string,
            value,
          ]),
        );
      case "AbortSignal":
      case "AbortController":
        return `<${tag}>`;
      case "Error":
        return short(`<Error ${this.#errorData(first)}>`);
      case SPARSE:
        return this.#array(first, pairs(node, 2) as [number, number][]);
      default:
        return typeof tag === "string"
          ? this.#tagged(tag, node)
          : this.#array(node.length, [...node.entries()]);
    }
  }

  #object(entries: readonly [key: string, index: number][]): string {
    const texts: Entry[] = [];
    for (const [key, index] of [...entries].sort(byKey)) {
      if (index !== UNDEFINED) texts.push([key, this.text(index)]);
    }
    return objectText(texts);
  }

  #array(length: number, members: readonly [index: number, node: number][]): string {
    const items: Item[] = [];
    for (const [index, node] of members) items.push([index, this.text(node)]);
    return arrayText(length, items);
  }

  /** A map, a set, an instance, bytes, a bigint …: indices and texts that count as they are. */
  #tagged(tag: string, [, ...members]: readonly unknown[]): string {
    const texts: string[] = [];
    for (const member of members) {
      texts.push(typeof member === "number" ? this.text(member) : JSON.stringify(member));
    }
    return short(`<${tag} ${texts.join()}>`);
  }

  #errorData(index: number): string {
    const { stack: _, ...data } = this.#nodes[index] as Record<string, number>;
    return this.#object(Object.entries(data));
  }
}

function pairs(node: readonly unknown[], from: number): [unknown, number][] {
  const found: [unknown, number][] = [];
  for (let at = from; at < node.length; at += 2) found.push([node[at], node[at + 1] as number]);
  return found;
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
