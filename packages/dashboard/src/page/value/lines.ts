import type { Shown } from "../../protocol.ts";
import { exactTime, size } from "../format.ts";

/** A value as lines: each thing is one line, and what is inside of it follows, further in, when it is open. */

/** Where a part of a value is: keys and indexes from the outside. */
export type Path = readonly (string | number)[];

/** One line of the viewer. */
export interface Line {
  readonly path: Path;
  readonly depth: number;
  /** The name of the property or the index, with what parts it from the value; empty for the whole. */
  readonly label: string;
  readonly text: string;
  /** How the text is coloured. */
  readonly look: "text" | "number" | "word" | "date" | "summary" | "plain" | "absent";
  /** `null` where there is nothing inside. */
  readonly open: boolean | null;
  /** What is not here can be asked for: from this item on. */
  readonly more: { readonly offset: number } | null;
}

/** What the reader has opened and asked for, by the JSON of the path. */
export interface Viewing {
  readonly toggled: ReadonlySet<string>;
  readonly loaded: ReadonlyMap<string, Shown>;
  readonly whole: Shown;
}

/** Longer texts are cut to one line until they are opened, and are shown in pieces of this length. */
const TEXT_WIDTH = 100;
/** Parts of this depth are open at first. */
const OPEN_DEPTH = 2;
/** Longer ones are not. */
const OPEN_LENGTH = 60;

/** So much of a closed object is in its line. */
const [FIRST_ENTRIES, ENTRY_WIDTH] = [4, 28];

/** The key of a path in {@link Viewing}. */
export function keyOf(path: Path): string {
  return JSON.stringify(path);
}

/** All lines of a value. */
export function linesOf(viewing: Viewing): Line[] {
  const lines: Line[] = [];
  add(lines, viewing, viewing.whole, [], "");
  return lines;
}

function add(lines: Line[], viewing: Viewing, given: Shown, path: Path, label: string): void {
  const value = viewing.loaded.get(keyOf(path)) ?? given;
  const depth = path.length;
  const parts = partsOf(value);
  const isOpen = parts !== null && viewing.toggled.has(keyOf(path)) !== opensAtFirst(value, depth);
  lines.push({
    path,
    depth,
    label,
    ...summary(value, isOpen),
    open: parts === null ? null : isOpen,
    more: cutHere(value),
  });
  if (parts === null || !isOpen) return;
  if (parts.texts !== undefined) {
    for (const text of parts.texts) {
      lines.push({ path, depth: depth + 1, label: "", text, look: "text", open: null, more: null });
    }
  }
  for (const [step, name, part] of parts.items) add(lines, viewing, part, [...path, step], name);
  const missing = parts.length - parts.shown;
  if (missing > 0) {
    const text = `… ${missing.toLocaleString("en")} more`;
    const more = { offset: parts.shown };
    lines.push({ path, depth: depth + 1, label: "", text, look: "absent", open: null, more });
  }
}

function opensAtFirst(value: Shown, depth: number): boolean {
  if (typeof value !== "object" || value === null || value.type === "text") return false;
  const length = "length" in value ? (value.length ?? 0) : 0;
  return depth === 0 ? length <= 10_000 : depth < OPEN_DEPTH && length <= OPEN_LENGTH;
}

interface Parts {
  /** What leads to each, its label, and itself. */
  readonly items: readonly (readonly [step: string | number, label: string, value: Shown])[];
  readonly texts?: readonly string[];
  readonly shown: number;
  readonly length: number;
}

/** What is inside; `null` for what is one line. */
function partsOf(value: Shown): Parts | null {
  if (typeof value === "string") {
    const long = value.length > TEXT_WIDTH || value.includes("\n");
    return long ? { items: [], texts: piecesOf(value), shown: value.length, length: value.length } : null;
  }
  if (typeof value !== "object" || value === null) return null;
  switch (value.type) {
    case "text":
      return { items: [], texts: piecesOf(value.text), shown: value.text.length, length: value.length };
    case "array":
    case "set": {
      const items = value.items.map((item, index) => [index, `${index}: `, item] as const);
      return filled(items, value.length);
    }
    case "object": {
      const items = value.entries.map(([key, item]) => [key, `${nameOf(key)}: `, item] as const);
      return filled(items, value.length);
    }
    case "map": {
      const items = value.entries.map(
        ([key, item], index) => [index, `${summary(key, false).text} → `, item] as const,
      );
      return filled(items, value.length);
    }
    case "error": {
      const { error } = value;
      const items: (readonly [string | number, string, Shown])[] = error.properties.map(
        ([key, item]) => [key, `${nameOf(key)}: `, item] as const,
      );
      if (error.cause !== null) items.push(["cause", "cause: ", error.cause]);
      error.errors.forEach((one, index) => {
        items.push([index, `errors ${index}: `, one]);
      });
      const texts = [...piecesOf(error.message).slice(1), ...error.frames.map(({ text }) => text)];
      return items.length + texts.length === 0
        ? null
        : { items, texts, shown: items.length, length: items.length };
    }
    default:
      return null;
  }
}

function filled(items: Parts["items"], length: number): Parts | null {
  return length === 0 ? null : { items, shown: items.length, length };
}

function nameOf(key: string): string {
  return /^[\w$-]+$/.test(key) ? key : JSON.stringify(key);
}

/** A long text in pieces that fit a line: at its own ends of lines, and after so many characters. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (const line of text.split("\n")) {
    if (line.length <= TEXT_WIDTH) pieces.push(line);
    else for (let at = 0; at < line.length; at += TEXT_WIDTH) pieces.push(line.slice(at, at + TEXT_WIDTH));
  }
  return pieces;
}

function cutHere(value: Shown): Line["more"] {
  return typeof value === "object" && value?.type === "cut" ? { offset: 0 } : null;
}

function summary(value: Shown, isOpen: boolean): Pick<Line, "text" | "look"> {
  if (value === null || typeof value === "boolean") return { text: String(value), look: "word" };
  if (typeof value === "number") return { text: String(value), look: "number" };
  if (typeof value === "string") return { text: textOf(value, value.length, isOpen), look: "text" };
  switch (value.type) {
    case "text":
      return { text: textOf(value.text, value.length, isOpen), look: "text" };
    case "array":
      return { text: value.length === 0 ? "[]" : `[ ${items(value.length)} ]`, look: "summary" };
    case "object":
      return { text: objectText(value, isOpen), look: "summary" };
    case "map":
      return { text: `Map with ${entries(value.length)}`, look: "summary" };
    case "set":
      return { text: `Set of ${items(value.length)}`, look: "summary" };
    case "date":
      return value.at === null
        ? { text: "an invalid date", look: "absent" }
        : { text: `${new Date(value.at).toISOString()}  (${exactTime(value.at)})`, look: "date" };
    case "bytes":
      return { text: `${value.class}, ${size(value.length)}: ${hex(value.base64)}`, look: "plain" };
    case "error":
      return { text: `${value.error.name}: ${piecesOf(value.error.message)[0] ?? ""}`, look: "plain" };
    case "other":
      return { text: value.text, look: "word" };
    case "repeated":
      return { text: "(contains itself)", look: "absent" };
    case "cut":
      return {
        text: value.length === null ? `${value.class} …` : `${value.class} of ${items(value.length)} …`,
        look: "absent",
      };
  }
}

/** A closed object shows its first entries. */
function objectText(value: Extract<Shown, { type: "object" }>, isOpen: boolean): string {
  const name = value.class === null ? "" : `${value.class} `;
  if (value.length === 0) return `${name}{}`;
  if (isOpen) return `${name}{ … }`;
  const shown = value.entries.slice(0, FIRST_ENTRIES).map(([key, item]) => {
    const { text } = summary(item, false);
    return `${nameOf(key)}: ${text.length > ENTRY_WIDTH ? `${text.slice(0, ENTRY_WIDTH)}…` : text}`;
  });
  return `${name}{ ${shown.join(", ")}${shown.length < value.length ? ", …" : ""} }`;
}

function textOf(text: string, length: number, isOpen: boolean): string {
  if (isOpen) return `a text of ${length.toLocaleString("en")} characters`;
  const [line = ""] = text.slice(0, TEXT_WIDTH).split("\n");
  return line.length < length
    ? `${JSON.stringify(line)} … ${length.toLocaleString("en")} characters`
    : JSON.stringify(line);
}

function items(length: number): string {
  return length === 1 ? "1 item" : `${length.toLocaleString("en")} items`;
}

function entries(length: number): string {
  return length === 1 ? "1 entry" : `${length.toLocaleString("en")} entries`;
}

const HEX_BYTES = 24;

function hex(base64: string): string {
  const bytes = Array.from(atob(base64.slice(0, 64)), (char) =>
    char.charCodeAt(0).toString(16).padStart(2, "0"),
  );
  return `${bytes.slice(0, HEX_BYTES).join(" ")}${bytes.length > HEX_BYTES ? " …" : ""}`;
}
