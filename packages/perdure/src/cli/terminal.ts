import { createInterface } from "node:readline/promises";
import { stripVTControlCharacters, styleText } from "node:util";
import stringWidth from "fast-string-width";
import { CommandError } from "./errors.ts";

/** What is printed: colours, tables, progress and questions. Colours and progress only on a terminal; NO_COLOR is obeyed. */

type Style = Parameters<typeof styleText>[0];

/** Text in a colour, on a terminal that has colours. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

const STATUS_STYLES: Readonly<Record<string, Style>> = {
  pending: "gray",
  running: "cyan",
  completed: "green",
  failed: "red",
  cancelled: "yellow",
  diverged: "magenta",
};

/** A status in its colour. */
export function paintStatus(status: string): string {
  return paint(STATUS_STYLES[status] ?? "reset", status);
}

/** The width of the terminal in columns; without one, lines are as long as they are. */
export function lineWidth(): number {
  return process.stdout.isTTY ? (process.stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
}

/** What others wrote, on one line and without control characters: it must not steer the terminal. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/** A text, cut to a width with an ellipsis. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let used = 1;
  for (const { segment } of SEGMENTS.segment(stripVTControlCharacters(text))) {
    used += stringWidth(segment);
    if (used > width) break;
    kept += segment;
  }
  return width < 1 ? "" : `${kept}…`;
}

function cutFront(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  // Names of workflows are of narrow characters, nearly always.
  return `…${text.slice(Math.max(1, text.length - width + 1))}`;
}

const SEGMENTS = new Intl.Segmenter();

export interface Column {
  readonly title: string;
  /** May be cut where the terminal is narrow; the others are shown in full. */
  readonly flexible?: boolean;
  /** Its end says more than its beginning: it is cut in front. */
  readonly keepEnd?: boolean;
}

const GAP = "  ";
const NARROWEST = 8;

/** Lines of a table with its titles; the flexible columns share what a narrow terminal has left. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, at) =>
    Math.max(stringWidth(title), ...rows.map((row) => stringWidth(row[at] ?? ""))),
  );
  const total = (): number =>
    widths.reduce((sum, width) => sum + width, 0) + GAP.length * (columns.length - 1);
  for (let over = total() - lineWidth(); over > 0; over = total() - lineWidth()) {
    const widest = columns
      .map(({ flexible }, at) => (flexible === true ? at : -1))
      .filter((at) => at >= 0 && (widths[at] as number) > NARROWEST)
      .sort((a, b) => (widths[b] as number) - (widths[a] as number))[0];
    if (widest === undefined) break;
    widths[widest] = Math.max(NARROWEST, (widths[widest] as number) - Math.max(1, Math.min(over, 4)));
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => {
        const width = widths[at] as number;
        const text = columns[at]?.keepEnd === true ? cutFront(cell, width) : cut(cell, width);
        const last = at === columns.length - 1;
        return last ? text : text + " ".repeat((widths[at] as number) - stringWidth(text));
      })
      .join(GAP)
      .trimEnd();
  const whole = (text: string): string => (stringWidth(text) > lineWidth() ? cut(text, lineWidth()) : text);
  const titles = line(columns.map(({ title }) => title));
  return [paint("dim", whole(titles)), ...rows.map((row) => whole(line(row)))];
}

/** Prints lines on stdout. */
export function print(lines: string | readonly string[]): void {
  for (const line of typeof lines === "string" ? [lines] : lines) process.stdout.write(`${line}\n`);
}

/** Prints a value as JSON; what JSON has no form for, as text. */
export function printJson(value: unknown, indent = 2): void {
  print(JSON.stringify(jsonable(value), null, indent));
}

/** @param above what the value is in: a value may be in itself, and an error its own cause */
export function jsonable(value: unknown, above: readonly object[] = []): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (above.includes(value)) return "[circular]";
  const part = (inner: unknown): unknown => jsonable(inner, [...above, value]);
  const object = (entries: Iterable<readonly [unknown, unknown]>): object =>
    Object.fromEntries([...entries].map(([key, inner]) => [String(key), part(inner)]));
  if (value instanceof Error) {
    const { name, message, stack, cause } = value;
    return { name, message, stack, ...(cause !== undefined && { cause: part(cause) }) };
  }
  if (value instanceof Map) return object(value);
  if (value instanceof Set) return [...value].map(part);
  if (ArrayBuffer.isView(value))
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if ("toJSON" in value && typeof value.toJSON === "function") return part(value.toJSON());
  return Array.isArray(value) ? value.map(part) : object(Object.entries(value));
}

/** A bar on stderr, while a terminal is there. */
export interface Progress {
  at(done: number): void;
  end(): void;
}

const BAR = 24;

export function progress(what: string, total: number): Progress {
  const { stderr } = process;
  if (!stderr.isTTY || total <= 0) return { at() {}, end() {} };
  return {
    at(done) {
      const full = Math.round((Math.min(done, total) / total) * BAR);
      const line = `${what} ${"█".repeat(full)}${"░".repeat(BAR - full)} ${done}/${total}`;
      stderr.write(`\r\u001b[K${cut(line, (stderr.columns ?? 80) - 1)}`);
    },
    end: () => void stderr.write("\r\u001b[K"),
  };
}

/**
 * Asks before something is done to many.
 *
 * @throws {CommandError} where nobody can be asked, or the answer is no
 */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CommandError(`${question} Nothing was done: say --yes where nobody can be asked.`);
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(`${question} [y/N] `).finally(() => asking.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError("Nothing was done.");
}
