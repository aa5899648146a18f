import { setTimeout as delay } from "node:timers/promises";
import { listRuns, type RunInfo } from "@perdure/core/api";
import { CommandError } from "./errors.ts";
import { attributes, between, time } from "./format.ts";
import { openPlace, type PlaceOptions } from "./place.ts";
import { type SelectionOptions, selectionOf } from "./selection.ts";
import { oneLine, paintStatus, print, printJson, table } from "./terminal.ts";
import { withWorkflowId } from "./workflow-names.ts";

/** `perdure runs`: lists runs, and follows them. */

export interface RunsOptions extends PlaceOptions, SelectionOptions {
  readonly limit: string;
  readonly json?: boolean;
  readonly follow?: boolean;
}

const COLUMNS = [
  { title: "RUN" },
  { title: "STATUS" },
  { title: "WORKFLOW", flexible: true, keepEnd: true },
  { title: "CREATED" },
  { title: "TOOK" },
  { title: "ATTRIBUTES", flexible: true },
];

/** Between two looks with `--follow`, in milliseconds. */
const LOOK = 1_000;

export async function runs(given: RunsOptions): Promise<void> {
  const limit = Number(given.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw new CommandError("--limit: write a whole number from 1 on.");
  await openPlace(given);
  const options = await withWorkflowId(given);
  const found = await newest(options, limit);
  if (options.follow !== true) {
    if (options.json === true) printJson(found.map(jsonOf));
    else if (found.length === 0) print("No run fits.");
    else print(table(COLUMNS, found.map(rowOf)));
    return;
  }
  await follow(options, limit, found);
}

async function newest(options: RunsOptions, limit: number): Promise<RunInfo[]> {
  const found: RunInfo[] = [];
  let cursor: string | null = null;
  do {
    const page = await listRuns({
      ...selectionOf(options),
      limit: Math.min(limit - found.length, 1_000),
      cursor,
    });
    found.push(...page.runs);
    for (const { runId, damage } of page.damaged)
      console.error(`${runId} cannot be read: ${oneLine(damage.message)}`);
    cursor = page.cursor;
  } while (cursor !== null && found.length < limit);
  return found;
}

/** Prints a run when it is new, and again whenever its status changes, until the command is interrupted. */
async function follow(options: RunsOptions, limit: number, first: readonly RunInfo[]): Promise<void> {
  const seen = new Map<string, string>();
  const show = (list: readonly RunInfo[]): void => {
    for (const run of [...list].reverse()) {
      if (seen.get(run.runId) === run.status) continue;
      seen.set(run.runId, run.status);
      if (options.json === true) printJson(jsonOf(run), 0);
      else print(rowOf(run).join("  ").trimEnd());
    }
  };
  for (let list: readonly RunInfo[] = first; ; list = await newest(options, limit)) {
    show(list);
    await delay(LOOK);
  }
}

function rowOf(run: RunInfo): string[] {
  const { runId, status, workflowName, createdAt, startedAt, completedAt } = run;
  const took = between(startedAt, completedAt);
  return [
    runId,
    paintStatus(status),
    oneLine(workflowName),
    time(createdAt),
    took,
    oneLine(attributes(run.attributes)),
  ];
}

/** A run in JSON. */
export function jsonOf(run: RunInfo): object {
  return { ...run, startedAt: run.startedAt ?? null, completedAt: run.completedAt ?? null };
}
