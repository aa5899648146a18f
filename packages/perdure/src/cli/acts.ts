import { countRuns, getRun, resumeHook, start } from "@perdure/core/api";
import { type ActedRun, actOnRuns, type RunAct } from "@perdure/core/inspect";
import { CommandError, EXIT } from "./errors.ts";
import { openPlace, type PlaceOptions } from "./place.ts";
import { attributesOf, hasSelection, runsThatFit, type SelectionOptions, selectionOf } from "./selection.ts";
import { confirm, oneLine, print, printJson, progress } from "./terminal.ts";
import { namedWorkflow, withWorkflowId } from "./workflow-names.ts";

/** What changes runs: one by its id, or many by a filter, after a question. */

/** The options of the commands that act on runs. */
export interface ActOptions extends PlaceOptions, SelectionOptions {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Acts on the runs that are named, or on those that a filter chooses. */
export async function act(runIds: readonly string[], options: ActOptions, what: RunAct): Promise<void> {
  const filtered = hasSelection(options) || options.all === true;
  if (runIds.length > 0 && filtered)
    throw new CommandError("Name runs, or choose them by options, not both.");
  if (runIds.length === 0 && !filtered) {
    throw new CommandError(
      `Which runs? Name them: perdure ${what.verb} wrun_…, or choose them: perdure ${what.verb} --workflow … (--all for every run that it fits).`,
    );
  }
  await openPlace(options);
  const ids = runIds.length > 0 ? runIds : await chosen(options, what);
  const bar = progress(what.verb, runIds.length > 0 ? 0 : ids.length);
  const results = await actOnRuns(
    ids.map((runId) => getRun(runId)),
    what,
    (_, count) => bar.at(count),
  );
  bar.end();
  report(results, options, what);
}

async function chosen(options: ActOptions, { verb, statuses }: RunAct): Promise<string[]> {
  const selection = selectionOf(await withWorkflowId(options), statuses);
  const count = await countRuns(selection);
  if (count === 0) {
    print("No run fits.");
    return [];
  }
  await confirm(`This will ${verb} ${plural(count)}.`, options.yes === true);
  const ids: string[] = [];
  for await (const { runId } of runsThatFit(selection, "asc")) ids.push(runId);
  return ids;
}

function report(results: readonly ActedRun[], { json }: ActOptions, { done }: RunAct): void {
  const failed = results.flatMap(({ runId, said, error }) =>
    said === null ? [{ runId, why: oneLine(error instanceof Error ? error.message : String(error)) }] : [],
  );
  if (json === true) {
    const why = new Map(failed.map((one) => [one.runId, one.why]));
    printJson(results.map(({ runId, said }) => ({ runId, result: said, error: why.get(runId) ?? null })));
  } else {
    for (const { runId, said } of results) if (said !== null) print(`${runId} ${said}`);
    for (const { runId, why } of failed) console.error(`${runId} ${why}`);
    if (results.length > 1) print(`${plural(results.length - failed.length)} ${done}, ${failed.length} not.`);
  }
  if (failed.length > 0) process.exitCode = EXIT.failed;
}

function plural(count: number): string {
  return `${count} run${count === 1 ? "" : "s"}`;
}

/** `perdure fork <run> --from-step <id>` */
export async function fork(
  runId: string,
  options: PlaceOptions & { readonly fromStep: string; readonly args?: string },
): Promise<void> {
  await openPlace(options);
  const args = options.args === undefined ? undefined : argsOf(options.args);
  const forked = await getRun(runId).fork({
    fromStep: options.fromStep,
    ...(args !== undefined && { args }),
  });
  print(`${runId} is forked as ${forked.runId}`);
}

/** `perdure start <workflow> [args]` */
export async function begin(
  workflow: string,
  args: string | undefined,
  options: PlaceOptions & {
    readonly key?: string;
    readonly attribute?: readonly string[];
    readonly json?: boolean;
  },
): Promise<void> {
  await openPlace(options, "may be made");
  const { key, attribute } = options;
  const { id, unserved } = await namedWorkflow(workflow);
  const run = await start({ workflowId: id } as never, argsOf(args ?? "[]"), {
    ...(key !== undefined && { idempotencyKey: key }),
    ...(attribute !== undefined && { attributes: attributesOf(attribute) }),
  });
  if (options.json === true) printJson({ runId: run.runId });
  else print(run.runId);
  if (unserved) {
    console.error(
      `No worker that is alive executes ${oneLine(id)}: the run waits for one. Its name may be another: see perdure workers.`,
    );
  }
}

/** `perdure resume <token> [payload]` */
export async function resume(
  token: string,
  payload: string | undefined,
  options: PlaceOptions & { readonly key?: string },
): Promise<void> {
  await openPlace(options);
  const value = payload === undefined ? undefined : parse(payload, "The payload");
  const { key } = options;
  const { runId } = await resumeHook(token, value, key === undefined ? {} : { idempotencyKey: key });
  print(`delivered to ${runId}`);
}

function argsOf(text: string): unknown[] {
  const args = parse(text, "The arguments");
  if (!Array.isArray(args))
    throw new CommandError("The arguments: write a JSON array, such as '[\"cus_1\", 4200]'.");
  return args;
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(
      `${what}: this is no JSON. Write texts in double quotes, and the whole in single ones: '"yes"'.`,
    );
  }
}
