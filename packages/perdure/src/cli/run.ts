import { getRun, type LockInfo, listHooks, listLocks, type RunEvent } from "@perdure/core/api";
import { EncryptionError } from "@perdure/core/errors";
import { decodeError, isKeptEncrypted, type TimelineEntry, timelineOf } from "@perdure/core/inspect";
import type { JournalEvent, RunRecord, World } from "@perdure/core/world";
import { CommandError } from "./errors.ts";
import { attributes, between, full, length, short, time } from "./format.ts";
import { openPlace, type PlaceOptions } from "./place.ts";
import { runsThatFit } from "./selection.ts";
import { cut, lineWidth, oneLine, paint, paintStatus, print, printJson } from "./terminal.ts";

/** `perdure run <id>`: what one run did, why it ended, and what it waits for. */

export interface RunOptions extends PlaceOptions {
  readonly journal?: boolean;
  readonly json?: boolean;
}

export async function run(runId: string, options: RunOptions): Promise<void> {
  const world = await openPlace(options);
  const row = await rowOf(world, runId);
  const events: RunEvent[] = [];
  for await (const event of getRun(runId).events()) events.push(event);
  if (options.journal === true) {
    if (options.json === true) printJson(await journalFile(world, row, events));
    else print(events.map(eventLine));
    return;
  }
  const children = [];
  for await (const child of runsThatFit({ parent: runId }, "asc")) children.push(child);
  const { hooks } = await listHooks({ runId, limit: 1_000 });
  const locks = await listLocks({ runId });
  const timeline = timelineOf(events);
  const facts = { row, events, timeline, children, hooks, locks, error: errorOf(row, events) };
  if (options.json === true) printJson(jsonOf(facts));
  else print(linesOf(facts));
}

interface Facts {
  readonly row: RunRecord;
  readonly events: readonly RunEvent[];
  readonly timeline: readonly TimelineEntry[];
  readonly children: readonly {
    readonly runId: string;
    readonly workflowName: string;
    readonly status: string;
  }[];
  readonly hooks: readonly { readonly token: string; readonly hookId: string; readonly createdAt: Date }[];
  readonly locks: readonly LockInfo[];
  readonly error: unknown;
}

/** The row of a run. */
export async function rowOf(world: World, runId: string): Promise<RunRecord> {
  const [row] = await world.getRuns([runId]);
  if (!row) throw new CommandError(`There is no run ${oneLine(runId)} here.`);
  return row;
}

/** The whole journal of a run as the store has it. */
export async function storedJournal(
  world: World,
  { runId, firstSeq, seq }: RunRecord,
): Promise<JournalEvent[]> {
  const journal: JournalEvent[] = [];
  for (let after = firstSeq - 1; after < seq; ) {
    const page = await world.listEvents(runId, after, 1_000);
    const last = page.at(-1);
    if (last === undefined) break;
    journal.push(...page);
    after = last.seq;
  }
  return journal;
}

/** A journal as a file that `perdure replay` takes: decoded to be read, and with its bytes. */
async function journalFile(world: World, row: RunRecord, events: readonly RunEvent[]): Promise<object> {
  const { runId, workflow, generation, status } = row;
  const bytes = new Map((await storedJournal(world, row)).map(({ seq, data }) => [seq, data]));
  const journal = events.map((event) => {
    const data = bytes.get(event.seq) ?? null;
    return { ...event, data: data === null ? null : Buffer.from(data).toString("base64") };
  });
  const encrypted = isKeptEncrypted(bytes.get(row.firstSeq) ?? null);
  return { runId, workflow, generation, status, ...(encrypted && { encrypted }), journal };
}

function errorOf(row: RunRecord, events: readonly RunEvent[]): unknown {
  if (row.status === "diverged" && row.error !== null) return errorFrom(row.error);
  return events.findLast(({ type }) => type === "run_failed" || type === "run_cancelled")?.value;
}

function errorFrom(bytes: Uint8Array): unknown {
  try {
    return decodeError(bytes);
  } catch (error) {
    return error;
  }
}

function dateOf(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms);
}

function lastOf(events: readonly RunEvent[], type: string): RunEvent | undefined {
  return events.findLast((event) => event.type === type);
}

function linesOf({ row, events, timeline, children, hooks, locks, error }: Facts): string[] {
  const [created, started, ended] = [row.createdAt, row.startedAt, row.completedAt].map(dateOf);
  const field = (name: string, text: string): string => `${paint("dim", name.padEnd(11))}${text}`;
  const lines = [`${paint("bold", row.runId)}  ${paintStatus(row.status)}  ${oneLine(row.workflow)}`];
  lines.push(field("created", `${time(created)}   started ${time(started)}   ended ${time(ended)}`));
  if (started !== undefined && ended !== undefined) lines.push(field("took", between(started, ended)));
  const parent = row.attributes.$parent;
  if (parent !== undefined) lines.push(field("parent", parent));
  if (row.idempotencyKey !== null) lines.push(field("key", oneLine(row.idempotencyKey)));
  const named = attributes(row.attributes);
  if (named !== "") lines.push(field("attributes", oneLine(named)));
  if (row.generation > 0) lines.push(field("generation", String(row.generation)));
  if (row.owner !== null) lines.push(field("worker", row.owner));
  if (row.owner === null && row.dueAt !== null) lines.push(field("due", time(new Date(row.dueAt))));
  const args = lastOf(events, "run_created");
  lines.push(field("args", valueText(args?.value, args?.error ?? null)));
  const result = lastOf(events, "run_completed");
  if (result !== undefined) lines.push(field("result", valueText(result.value, result.error)));
  if (timeline.length > 0) lines.push("", ...timeline.flatMap((entry) => entryLines(entry, created)));
  if (children.length > 0) {
    lines.push("", paint("dim", "children"));
    lines.push(
      ...children.map(
        (child) => `  ${child.runId}  ${paintStatus(child.status)}  ${oneLine(child.workflowName)}`,
      ),
    );
  }
  if (hooks.length > 0) {
    lines.push("", paint("dim", "hooks"));
    lines.push(...hooks.map(({ token, createdAt }) => `  ${oneLine(token)}  since ${time(createdAt)}`));
  }
  if (locks.length > 0) {
    lines.push("", paint("dim", "locks"));
    lines.push(...locks.map(({ key, waiting }) => `  ${oneLine(key)}  ${waiting} wait for it`));
  }
  if (error !== undefined) lines.push("", paint("red", "error"), ...indented(full(error)));
  const missing = missingKeys(events);
  if (missing.length > 0) {
    lines.push(
      "",
      paint(
        "yellow",
        "Values are encrypted, and these keys do not open them here. Give the right ones in perdure.config.ts, as encryption:",
      ),
    );
    lines.push(...missing.map((keyId) => `  ${oneLine(keyId)}`));
  }
  return lines;
}

/** The keys that it takes to read the values, and that are not here. */
function missingKeys(events: readonly RunEvent[]): readonly string[] {
  const errors: readonly unknown[] = events.map(({ error }) => error);
  const missing = errors.filter(EncryptionError.is).filter(({ obstacle }) => obstacle !== "not_encrypted");
  return [...new Set(missing.map(({ keyId }) => keyId))];
}

function valueText(value: unknown, error: Error | null): string {
  const width = Math.max(lineWidth() - 11, 20);
  const text = cut(oneLine(short(value)), width);
  return error === null || EncryptionError.is(error) ? text : `${text} (${oneLine(error.message)})`;
}

const MARKS: Readonly<Record<string, readonly [mark: string, style: "green" | "red" | "yellow" | "cyan"]>> = {
  completed: ["✔", "green"],
  received: ["✔", "green"],
  disposed: ["✔", "green"],
  failed: ["✖", "red"],
  conflict: ["✖", "red"],
  open: ["…", "cyan"],
};

function entryLines(entry: TimelineEntry, created: Date | undefined): string[] {
  const { kind, name, id, at, endedAt, outcome, failedAttempts, input, output } = entry;
  const [mark, style] = MARKS[outcome] ?? ["•", "yellow"];
  const since =
    at === undefined || created === undefined
      ? ""
      : `+${length(Math.max(0, at.getTime() - created.getTime()))}`;
  const label = kind === "system_step" ? "system" : kind;
  const attempts = failedAttempts.length + 1;
  const took = outcome === "open" ? `open ${between(at, new Date())}` : between(at, endedAt);
  const tries = attempts > 1 ? `  ${attempts} attempts` : "";
  const what = oneLine(
    [name ?? (kind === "wait" ? untilText(input) : id), subjectOf(entry)].join(" ").trimEnd(),
  );
  const plain = `${since.padStart(9)}  ${mark} ${label.padEnd(6)} ${what}  ${took}${tries}`;
  const room = lineWidth() - plain.length - 4;
  const value =
    outcome === "open" || output === undefined ? "" : cut(oneLine(short(output)), Math.max(room, 12));
  const head = `${paint("dim", since.padStart(9))}  ${paint(style, mark)} ${label.padEnd(6)} ${paint("bold", what)}  ${took}${tries}`;
  const lines = [value === "" ? head : `${head}  → ${value}`];
  if (kind === "step") lines.push(paint("dim", `${" ".repeat(20)}${id}`));
  for (const { attempt, reason, error } of failedAttempts) {
    const text = `${" ".repeat(20)}attempt ${attempt}: ${reason === "error" ? "" : `${reason.replace("_", " ")} `}${error === undefined ? "" : oneLine(short(error))}`;
    lines.push(paint("yellow", cut(text.trimEnd(), lineWidth())));
  }
  return lines;
}

/** What a system step is about: the key of a lock, a run, a workflow. */
function subjectOf({ kind, input }: TimelineEntry): string {
  if (kind !== "system_step") return "";
  if (typeof input === "string") return input;
  const { key, runId, token, run } = (input ?? {}) as Readonly<Record<string, unknown>>;
  const about = [key, runId, token, (run as { readonly workflow?: unknown } | undefined)?.workflow];
  return String(about.find((one) => typeof one === "string") ?? "");
}

function untilText(input: unknown): string {
  const at = input instanceof Date ? input : typeof input === "number" ? new Date(input) : undefined;
  return at === undefined ? "sleep" : `until ${time(at)}`;
}

function indented(text: string): string[] {
  return text.split("\n").map((line) => `  ${oneLine(line.replace(/^\s+at /, "    at "))}`);
}

/** The ends of attempts, whose name is when they began. */
const ATTEMPT_END = /^step_(completed|failed|retrying)$/;

function eventLine({ seq, type, at, id, name, value, error }: RunEvent): string {
  const about = [ATTEMPT_END.test(type) ? null : name, id]
    .filter((text) => text !== null)
    .map((text) => oneLine(text as string));
  const text =
    value === undefined ? "" : `  ${cut(oneLine(short(readable(value))), Math.max(lineWidth() - 60, 40))}`;
  const why = error === null || EncryptionError.is(error) ? "" : `  (${oneLine(error.message)})`;
  return `${String(seq).padStart(5)}  ${at?.toISOString() ?? "-"}  ${paint("bold", type)}  ${about.join("  ")}${text}${why}`;
}

/** The value of an event with the error in it decoded, as that of a step's attempt has one. */
function readable(value: unknown): unknown {
  const { error, ...rest } = (value ?? {}) as { readonly error?: unknown };
  return error instanceof Uint8Array ? { ...rest, error: short(errorFrom(error)) } : value;
}

function jsonOf({ row, events, timeline, children, hooks, locks, error }: Facts): object {
  const { runId, workflow, status, generation, attributes: all, idempotencyKey, owner } = row;
  const [createdAt, startedAt, completedAt, dueAt] = [
    row.createdAt,
    row.startedAt,
    row.completedAt,
    row.dueAt,
  ].map((ms) => dateOf(ms) ?? null);
  return {
    ...{ runId, workflowName: workflow, status, generation, attributes: all, idempotencyKey, owner },
    ...{ createdAt, startedAt, completedAt, dueAt },
    args: lastOf(events, "run_created")?.value ?? null,
    result: lastOf(events, "run_completed")?.value ?? null,
    error: error ?? null,
    timeline: timeline.map((entry) => ({ ...entry, attempts: entry.failedAttempts.length + 1 })),
    children,
    hooks,
    locks,
  };
}
