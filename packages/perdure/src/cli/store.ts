import {
  countRuns,
  getRun,
  type HookInfo,
  type LockHolder,
  listHooks,
  listLocks,
  listStartKeys,
  listWorkers,
  type StartKeyInfo,
} from "@perdure/core/api";
import { deleteOldRuns, type RunStatus, type TerminalStatus, type World } from "@perdure/core/world";
import { CommandError, EXIT } from "./errors.ts";
import { length, short, time } from "./format.ts";
import { openPlace, type PlaceOptions } from "./place.ts";
import { rowOf } from "./run.ts";
import { type SelectionOptions, selectionOf, timeOf } from "./selection.ts";
import {
  type Column,
  confirm,
  oneLine,
  paint,
  paintStatus,
  print,
  printJson,
  progress,
  table,
} from "./terminal.ts";
import { withWorkflowId } from "./workflow-names.ts";

/** What a store holds beside the runs themselves, and how it is: hooks, keys, streams, workers, counts, health; and its cleaning. */

export interface ListOptions extends PlaceOptions {
  readonly json?: boolean;
  readonly run?: string;
  readonly limit: string;
}

function show<T>(
  items: readonly T[],
  json: boolean | undefined,
  none: string,
  columns: readonly Column[],
  row: (item: T) => string[],
): void {
  if (json === true) printJson(items);
  else if (items.length === 0) print(none);
  else print(table(columns, items.map(row)));
}

function limitOf({ limit }: ListOptions): number {
  const most = Number(limit);
  if (!Number.isInteger(most) || most < 1) throw new CommandError("--limit: write a whole number from 1 on.");
  return most;
}

const LARGEST_PAGE = 1_000;

/** `perdure hooks` */
export async function hooks(options: ListOptions): Promise<void> {
  const most = limitOf(options);
  await openPlace(options);
  const found: HookInfo[] = [];
  let cursor: string | null = null;
  do {
    const page = await listHooks({
      ...ofRun(options),
      limit: Math.min(most - found.length, LARGEST_PAGE),
      cursor,
    });
    found.push(...page.hooks);
    cursor = page.cursor;
  } while (cursor !== null && found.length < most);
  const columns = [
    { title: "TOKEN", flexible: true },
    { title: "RUN" },
    { title: "SINCE" },
    { title: "METADATA", flexible: true },
  ];
  show(found, options.json, "No run waits for a hook.", columns, ({ token, runId, createdAt, metadata }) => [
    oneLine(token),
    runId,
    time(createdAt),
    metadata === undefined ? "" : oneLine(short(metadata)),
  ]);
}

/** `perdure keys` */
export async function keys(options: ListOptions): Promise<void> {
  const most = limitOf(options);
  await openPlace(options);
  const found: StartKeyInfo[] = [];
  let cursor: string | null = null;
  do {
    const page = await listStartKeys({
      ...ofRun(options),
      limit: Math.min(most - found.length, LARGEST_PAGE),
      cursor,
    });
    found.push(...page.keys);
    cursor = page.cursor;
  } while (cursor !== null && found.length < most);
  const columns = [
    { title: "KEY", flexible: true },
    { title: "WORKFLOW", flexible: true },
    { title: "RUN" },
    { title: "SINCE" },
  ];
  show(
    found,
    options.json,
    "No run has an idempotency key.",
    columns,
    ({ key, workflowName, runId, createdAt }) => [
      oneLine(key),
      oneLine(workflowName),
      runId,
      time(createdAt),
    ],
  );
}

/** `perdure locks` */
export async function locks(
  options: PlaceOptions & { readonly json?: boolean; readonly run?: string },
): Promise<void> {
  await openPlace(options);
  const found = await listLocks(ofRun(options));
  const columns = [
    { title: "LOCK", flexible: true },
    { title: "HELD" },
    { title: "WAITING" },
    { title: "BY", flexible: true },
  ];
  show(found, options.json, "No run has a lock.", columns, ({ key, limit, holders, waiting }) => [
    oneLine(key),
    `${holders.length}/${limit}`,
    String(waiting),
    holders.map(holderText).join(", "),
  ]);
}

function holderText({ runId, fence, status }: LockHolder): string {
  return `${runId} (fence ${fence}${status === "diverged" ? ", diverged" : ""})`;
}

function ofRun({ run }: { readonly run?: string }): { readonly runId?: string } {
  return run === undefined ? {} : { runId: run };
}

const STREAM = "output";

/** `perdure streams <run>`: the streams of a run, or with `--read` what is in one. */
export async function streams(
  runId: string,
  options: PlaceOptions & { readonly json?: boolean; readonly read?: boolean; readonly namespaceOf?: string },
): Promise<void> {
  const world = await openPlace(options);
  await rowOf(world, runId);
  if (world.capabilities.streams !== true) throw new CommandError(`The World ${world.name} has no streams.`);
  if (options.read === true) {
    const { namespaceOf } = options;
    const chunks = getRun(runId).chunks<unknown>(namespaceOf === undefined ? {} : { namespace: namespaceOf });
    for await (const { index, data } of chunks) {
      if (options.json === true) printJson({ index, data }, 0);
      else print(typeof data === "string" ? oneLine(data) : oneLine(short(data)));
    }
    return;
  }
  const names: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await world.listStreams({ runId, limit: 100, ...(cursor !== null && { cursor }) });
    names.push(...page.names);
    cursor = page.cursor;
  } while (cursor !== null);
  const shown = names
    .filter((name) => name === STREAM || name.startsWith(`${STREAM}:`))
    .map((name) => ({ namespace: name === STREAM ? null : name.slice(STREAM.length + 1) }));
  show(shown, options.json, "The run has no streams.", [{ title: "NAMESPACE" }], ({ namespace }) => [
    namespace === null ? "(the run's own)" : oneLine(namespace),
  ]);
}

/** `perdure workers` */
export async function workers(options: PlaceOptions & { readonly json?: boolean }): Promise<void> {
  await openPlace(options);
  const found = await listWorkers();
  const columns = [
    { title: "WORKER", flexible: true },
    { title: "HOST", flexible: true },
    { title: "PID" },
    { title: "STARTED" },
    { title: "SEEN" },
    { title: "RUNS" },
    { title: "STEPS" },
    { title: "LAG" },
    { title: "STATE", flexible: true },
    { title: "WORKFLOWS", flexible: true },
  ];
  show(found, options.json, "No worker has shown itself in the last half minute.", columns, (worker) => {
    const { health, seenAt } = worker;
    const lag =
      health.oldestDue === null ? "-" : length(Math.max(0, seenAt.getTime() - health.oldestDue.getTime()));
    const steps = `${health.slots.inUse}/${health.slots.limit}`;
    const waiting = health.slots.queued > 0 ? `+${health.slots.queued}` : "";
    return [
      worker.workerId,
      worker.host,
      String(worker.pid),
      time(worker.startedAt),
      time(seenAt),
      String(health.heldRuns),
      `${steps}${waiting}`,
      lag,
      health.ok ? paint("green", "ok") : paint("red", oneLine(health.reasons.join(" "))),
      worker.workflows.map(oneLine).join(", "),
    ];
  });
}

const STATUSES: readonly RunStatus[] = ["pending", "running", "diverged", "completed", "failed", "cancelled"];

/** `perdure stats` */
export async function stats(
  options: PlaceOptions & SelectionOptions & { readonly json?: boolean },
): Promise<void> {
  await openPlace(options);
  const { statuses: _, ...selection } = selectionOf(await withWorkflowId(options));
  const counts = await countsOf(selection);
  if (options.json === true) printJson(counts);
  else
    print(
      table(
        [{ title: "STATUS" }, { title: "RUNS" }],
        STATUSES.map((status) => [paintStatus(status), String(counts[status])]),
      ),
    );
}

async function countsOf(selection: Parameters<typeof countRuns>[0]): Promise<Record<string, number>> {
  const counted = await Promise.all(
    STATUSES.map(async (status) => [status, await countRuns({ ...selection, statuses: [status] })] as const),
  );
  return Object.fromEntries(counted);
}

/** `perdure health`: the store, its workers, and whether what is there is being executed. */
export async function health(options: PlaceOptions & { readonly json?: boolean }): Promise<void> {
  const began = performance.now();
  const world = await openPlace(options);
  const opened = performance.now() - began;
  const [found, counts] = [await listWorkers(), await countsOf({})];
  const unfinished = (counts.pending ?? 0) + (counts.running ?? 0) + (counts.diverged ?? 0);
  const problems = found.flatMap(({ workerId, health: { reasons } }) =>
    reasons.map((reason) => `${workerId}: ${reason}`),
  );
  if (found.length === 0 && unfinished > 0) {
    problems.push(
      `Runs have not ended (${unfinished}), and no worker has shown itself in the last half minute.`,
    );
  }
  if ((counts.diverged ?? 0) > 0) {
    problems.push(`Runs are parked as diverged (${counts.diverged}): see perdure runs --status diverged.`);
  }
  const ok = problems.length === 0;
  if (options.json === true) {
    printJson({
      ok,
      problems,
      store: { world: world.name, ...world.describe() },
      openedInMs: Math.round(opened),
      workers: found,
      runs: counts,
    });
  } else {
    print([
      `store    ${paint("green", "ok")}  ${world.name}, opened in ${length(opened)}`,
      `workers  ${found.length}`,
      `runs     ${STATUSES.map((status) => `${counts[status]} ${status}`).join(", ")}`,
      ...problems.map((problem) => `${paint("red", "✖")} ${oneLine(problem)}`),
    ]);
  }
  if (!ok) process.exitCode = EXIT.bad;
}

const TERMINAL: readonly TerminalStatus[] = ["completed", "failed", "cancelled"];

export interface PruneOptions extends PlaceOptions {
  readonly olderThan: string;
  readonly status?: readonly TerminalStatus[];
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `perdure prune --older-than 30d` */
export async function prune(options: PruneOptions): Promise<void> {
  const before = timeOf(options.olderThan, "--older-than");
  const statuses = options.status ?? TERMINAL;
  const world: World = await openPlace(options);
  const count = await countRuns({ statuses, completedBefore: before });
  if (count === 0 && options.json !== true) {
    print(`No run ended before ${time(before)}.`);
    return;
  }
  if (count > 0)
    await confirm(
      `This will delete ${count} run${count === 1 ? "" : "s"} that ended before ${time(before)}.`,
      options.yes === true,
    );
  const bar = progress("delete", count);
  const deleted = await deleteOldRuns(world, before.getTime(), {
    statuses,
    onBatch(done) {
      bar.at(done);
      return true;
    },
  });
  bar.end();
  const kept = count - deleted;
  if (options.json === true) printJson({ deleted, kept });
  else {
    const why = kept > 0 ? ` ${kept} stay: their parents have not ended, or work of theirs is left.` : "";
    print(`${deleted} runs deleted.${why}`);
  }
}
