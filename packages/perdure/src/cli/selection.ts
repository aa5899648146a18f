import { listRuns, type RunInfo, type RunSelection } from "@perdure/core/api";
import type { RunStatus } from "@perdure/core/world";
import { type Command, Option } from "commander";
import ms, { type StringValue } from "ms";
import { CommandError } from "./errors.ts";

/** Which runs a command is about, as options. */

/** What {@link withSelection} adds. */
export interface SelectionOptions {
  readonly status?: readonly string[];
  readonly workflow?: string;
  readonly attribute?: readonly string[];
  readonly parent?: string;
  readonly since?: string;
  readonly until?: string;
}

const STATUSES: readonly RunStatus[] = ["pending", "running", "completed", "failed", "cancelled", "diverged"];

/** Adds the options that choose runs. */
export function withSelection(command: Command): Command {
  return command
    .addOption(new Option("-s, --status <status...>", "in any of these statuses").choices([...STATUSES]))
    .option("-w, --workflow <id>", "of this workflow: its id, or the name of its function")
    .option("-a, --attribute <name=value...>", "with all of these attributes")
    .option("--parent <run>", "started by this run")
    .option("--since <time>", "created at this time or later: a date, or how long ago, such as 2h")
    .option("--until <time>", "created before this time");
}

/** Whether anything was chosen. */
export function hasSelection(options: SelectionOptions): boolean {
  const { status, workflow, attribute, parent, since, until } = options;
  return [status, workflow, attribute, parent, since, until].some((value) => value !== undefined);
}

/** What the options choose. `statuses` where none were given. */
export function selectionOf(options: SelectionOptions, statuses?: readonly RunStatus[]): RunSelection {
  const { workflow, parent, since, until } = options;
  const chosen = (options.status as readonly RunStatus[] | undefined) ?? statuses;
  return {
    ...(chosen !== undefined && { statuses: chosen }),
    ...(workflow !== undefined && { workflow }),
    ...(parent !== undefined && { parent }),
    ...(options.attribute !== undefined && { attributes: attributesOf(options.attribute) }),
    ...(since !== undefined && { createdFrom: timeOf(since, "--since") }),
    ...(until !== undefined && { createdBefore: timeOf(until, "--until") }),
  };
}

/** `name=value` texts as an object. */
export function attributesOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new CommandError(`--attribute ${text}: write it as name=value.`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** A date, or a length of time ago. */
export function timeOf(text: string, option: string): Date {
  const ago = lengthOf(text);
  if (ago !== null) return new Date(Date.now() - ago);
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) {
    throw new CommandError(
      `${option} ${text}: write a date such as 2026-11-26 or 2026-11-26T08:00Z, or a length such as 2h or "3 days".`,
    );
  }
  return date;
}

/** Milliseconds of a text such as `2h`; `null` for what is none. */
export function lengthOf(text: string): number | null {
  if (!/^[\d.]+ *[a-z]+$/i.test(text)) return null;
  const length = ms(text as StringValue);
  return typeof length === "number" && Number.isFinite(length) && length >= 0 ? length : null;
}

const PAGE = 500;

/** All runs that fit, newest first, page by page; what the store cannot read is left out. */
export async function* runsThatFit(
  selection: RunSelection,
  order: "asc" | "desc" = "desc",
): AsyncGenerator<RunInfo> {
  let cursor: string | null = null;
  do {
    const page = await listRuns({ ...selection, limit: PAGE, order, cursor });
    yield* page.runs;
    cursor = page.cursor;
  } while (cursor !== null);
}
